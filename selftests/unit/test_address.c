// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Unit tests of addresses of movers, as far as no resolver is asked.
 */
#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "common/util.h"
#include "mspd/conn.h"

static void host_is(const char *text, const char *expected)
{
	char host[CONN_HOST_BYTES];
	const char *why;

	assert_int_equal(conn_host(text, strlen(text), host, &why), 0);
	assert_string_equal(host, expected);
}

static void test_hosts(void **state)
{
	char longest[CONN_HOST_BYTES];

	(void)state;
	host_is("127.0.0.1", "127.0.0.1");
	host_is("::1", "::1");
	host_is("[::1]", "::1");
	host_is("fe80::1%eth0", "fe80::1%eth0");
	host_is("msp-1.example", "msp-1.example");
	memset(longest, 'x', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	host_is(longest, longest);
}

static void test_what_is_no_host(void **state)
{
	static const char *const bad[] = { "", "[]", "-", "--help", "a b", "$(reboot)", "a;b",
					   "../x", "a\n", "\x1b[31m", "\xc3\xa4", "[::1", "*" };
	char flood[CONN_HOST_BYTES + 1], host[CONN_HOST_BYTES];
	const char *why;

	(void)state;
	memset(flood, 'x', sizeof(flood) - 1);
	flood[sizeof(flood) - 1] = '\0';
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		why = NULL;
		assert_int_equal(conn_host(bad[i], strlen(bad[i]), host, &why), -EINVAL);
		assert_non_null(why);
	}
	assert_int_equal(conn_host(flood, strlen(flood), host, &why), -EINVAL);
}

static void test_ports(void **state)
{
	static const char *const bad[] = { "127.0.0.1", "127.0.0.1:", "127.0.0.1:0",
					   "127.0.0.1:65536", "127.0.0.1:x", "127.0.0.1:1x",
					   "127.0.0.1:-1", ":1", "a;b:1" };
	struct conn_address address;
	const char *why;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(conn_resolve(bad[i], true, &address, &why), -EINVAL);
	assert_int_equal(conn_resolve("[::1]:65535", true, &address, &why), 0);
	assert_int_equal(address.storage.ss_family, AF_INET6);
	assert_int_equal(conn_resolve("127.0.0.1", false, &address, &why), 0);
	assert_int_equal(address.storage.ss_family, AF_INET);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_hosts),
		cmocka_unit_test(test_what_is_no_host),
		cmocka_unit_test(test_ports),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
