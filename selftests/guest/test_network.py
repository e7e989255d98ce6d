#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Two pseries guests reach each other, over large packets."""

import sys

import guest
import kernels
import network

# nc ends with what it hears: a fifo that is open both ways has no end
LISTENER = """
echo 1..1
mkfifo silence
nc -l -p 7 <big >/dev/null
nc -l -p 8 <>silence >question
echo a question | cmp - question || printf 'not '
echo 'ok 1 - is asked'
"""
ASKER = """
echo 1..4
[ "$(cat /sys/class/net/eth0/mtu)" = %(mtu)d ] || printf 'not '
echo 'ok 1 - large packets'
until ping -c 1 -W 1 %(peer)s >/dev/null; do
	:
done
ping -c 1 -s 60000 %(peer)s || printf 'not '
echo 'ok 2 - a large echo'
mkfifo silence
until nc %(peer)s 7 <>silence >answer; do
	:
done
cmp answer big || printf 'not '
echo 'ok 3 - a megabyte'
until echo a question | nc %(peer)s 8; do
	:
done
echo 'ok 4 - asks'
"""
BIG = bytes(range(256)) * 4096

suite = guest.Suite()
for series, device in zip(kernels.SERIES, network.DEVICES):
    first, second = network.cable(device)
    kernel = kernels.debian("ppc64el", series)
    listener = guest.Guest(kernel, LISTENER, network=first)
    listener.files.file("/guest/big", BIG)
    asker = guest.Guest(kernel, ASKER % {"peer": first.address,
                                         "mtu": network.MTU}, network=second)
    asker.files.file("/guest/big", BIG)
    suite.together({"%s-listener" % series: listener, "%s-asker" % series: asker})
sys.exit(suite.main())
