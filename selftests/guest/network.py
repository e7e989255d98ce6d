# SPDX-License-Identifier: GPL-2.0-or-later
"""A cable between two guests, or a port of a switch.

    ends = network.cable()
    suite.together({"a": Guest(..., network=ends[0]),
                    "b": Guest(..., network=ends[1])})

The two QEMUs hold the two ends of a socket pair, so that nothing else can hear or
be heard.  A guest's end is eth0, and has its address before the command runs.

    Guest(..., network=network.SwitchPort("/run/vswitch"))

is a port of a vasi-vswitch, which a guest can take to another QEMU.
"""

import ipaddress
import socket

# More than Ethernet has: a guest's processor is the bottleneck, and it counts packets
MTU = 65000
NETWORK = "10.77.0.0/24"
# Behind a switch there may be a gateway, QEMU's user-mode network (lib/gateway.py)
SWITCH_NETWORK = "10.0.2.0/24"
SWITCH_MTU = 1500

# QEMU's device -> modules that drive it
DEVICES = {"virtio-net-pci": ("virtio_pci", "virtio_net"),
           "spapr-vlan": ("ibmveth",)}


class End:
    """One guest's end of a cable.

    @device: QEMU's name of the network device; spapr-vlan only of pseries
    @number: from 1: of the host in the network
    """

    def __init__(self, own, number, device, mtu):
        self.own = own
        self.device, self.mtu = device, mtu
        network = ipaddress.ip_network(NETWORK)
        self.address = str(network[number])
        self.prefix = network.prefixlen
        self.mac = "52:54:00:77:00:%02x" % number

    @property
    def modules(self):
        return DEVICES[self.device]

    def settings(self):
        """For the guest's init."""
        return "%s/%d %d\n" % (self.address, self.prefix, self.mtu)

    def options(self):
        """For QEMU; its descriptor has to be passed on."""
        return ["-netdev", "socket,id=cable,fd=%d" % self.own.fileno(),
                "-device", "%s,netdev=cable,mac=%s" % (self.device, self.mac)]

    def descriptors(self):
        return (self.own.fileno(),)

    def close(self):
        """QEMU has it now: the other guest sees when this one ends."""
        self.own.close()


class SwitchPort:
    """A guest's port of a switch.

    @path: of the switch's socket
    @number: of the host in the network; .2 is a gateway's
    @device: as of End
    """

    def __init__(self, path, number=15, device="spapr-vlan", mtu=SWITCH_MTU):
        self.path, self.device, self.mtu = path, device, mtu
        network = ipaddress.ip_network(SWITCH_NETWORK)
        self.address = str(network[number])
        self.prefix = network.prefixlen
        self.mac = "52:54:00:02:00:%02x" % number

    modules = End.modules
    settings = End.settings

    def options(self):
        """For QEMU; a second one with the same options is where the guest moves."""
        return ["-netdev", "stream,id=port,server=off,addr.type=unix,addr.path="
                + self.path,
                "-device", "%s,netdev=port,mac=%s" % (self.device, self.mac)]

    @staticmethod
    def descriptors():
        return ()

    def close(self):
        """The guest has it; there is nothing of it here."""


def cable(device="virtio-net-pci", mtu=MTU):
    """The two ends of a new cable; each is good for one run."""
    return [End(own, number, device, mtu) for number, own in
            enumerate(socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM), 1)]
