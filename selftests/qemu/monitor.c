// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A pseries machine's firmware that does what a test tells it: it makes hcalls,
 * and reads and writes memory.  So a test can be a VASI device's driver without
 * a kernel in between.
 *
 * Commands come line by line over the virtual terminal with unit address VTY, all
 * numbers in hexadecimal; each has one line for an answer:
 *
 *	h NUMBER [R4 ... R12]	hcall		RC R4 R5 R6 R7
 *	t COUNT NUMBER [R4 ...]	COUNT times	RC, ticks of 1/512 microsecond
 *	r ADDRESS BYTES		read		the bytes
 *	w ADDRESS BYTES...	write		ok
 *
 * On start it says "ready FDT", where the machine's device tree is.
 */
#include <stddef.h>
#include <stdint.h>

#define VTY			0x30000000UL
#define H_GET_TERM_CHAR		0x54
#define H_PUT_TERM_CHAR		0x58
#define H_CEDE			0xe0
#define LINE_BYTES		8192

/*
 * Started at 0x100, big-endian, 64 bits, no translation.  A decrementer interrupt
 * only ends H_CEDE.
 */
asm(".section .start, \"ax\"\n"
	".org 0x100\n"
	"	lis	2, .TOC.@h\n"
	"	ori	2, 2, .TOC.@l\n"
	"	lis	1, stack_end@h\n"
	"	ori	1, 1, stack_end@l\n"
	"	li	0, 0\n"
	"	stdu	0, -128(1)\n"
	"	b	run\n"
	".org 0x900\n"
	"	mtspr	272, 3\n"
	"	lis	3, 0x7fff\n"
	"	mtdec	3\n"
	"	mfspr	3, 272\n"
	"	rfid\n"
	".org 0x1000\n"
	".previous\n");

static uint8_t stack[16384] __attribute__((aligned(16), used));
asm(".globl stack_end\n.set stack_end, stack + 16384");

/* The compiler wants it */
void *memcpy(void *to, const void *from, size_t bytes);

void *memcpy(void *to, const void *from, size_t bytes)
{
	volatile uint8_t *t = to;
	const uint8_t *f = from;

	while (bytes--)
		*t++ = *f++;
	return to;
}

static char line[LINE_BYTES];
static uint64_t reg[10];	/* R3 to R12 */

static void hcall(void)
{
	register uint64_t r3 asm("r3") = reg[0];
	register uint64_t r4 asm("r4") = reg[1];
	register uint64_t r5 asm("r5") = reg[2];
	register uint64_t r6 asm("r6") = reg[3];
	register uint64_t r7 asm("r7") = reg[4];
	register uint64_t r8 asm("r8") = reg[5];
	register uint64_t r9 asm("r9") = reg[6];
	register uint64_t r10 asm("r10") = reg[7];
	register uint64_t r11 asm("r11") = reg[8];
	register uint64_t r12 asm("r12") = reg[9];

	asm volatile("sc 1"
		     : "+r"(r3), "+r"(r4), "+r"(r5), "+r"(r6), "+r"(r7),
		       "+r"(r8), "+r"(r9), "+r"(r10), "+r"(r11), "+r"(r12)
		     : : "r0", "ctr", "xer", "cr0", "memory");
	reg[0] = r3;
	reg[1] = r4;
	reg[2] = r5;
	reg[3] = r6;
	reg[4] = r7;
}

static void set_hcall(uint64_t number, uint64_t r4, uint64_t r5, uint64_t r6,
		      uint64_t r7)
{
	reg[0] = number;
	reg[1] = r4;
	reg[2] = r5;
	reg[3] = r6;
	reg[4] = r7;
}

static char out[16];
static unsigned int out_used;
static uint8_t in[16];
static unsigned int in_used, in_at;

static void flush(void)
{
	uint64_t half[2];

	if (!out_used)
		return;
	__builtin_memcpy(half, out, sizeof(half));
	do {
		set_hcall(H_PUT_TERM_CHAR, VTY, out_used, half[0], half[1]);
		hcall();
	} while (reg[0]);
	out_used = 0;
}

static void put(char c)
{
	out[out_used++] = c;
	if (out_used == sizeof(out))
		flush();
}

static void put_number(uint64_t value, int digits)
{
	while (digits--)
		put("0123456789abcdef"[value >> (4 * digits) & 15]);
}

static void put_text(const char *text)
{
	while (*text)
		put(*text++);
}

static void end_line(void)
{
	put('\n');
	flush();
}

/* Characters from the terminal, up to 16 at a time */
static char next(void)
{
	while (in_at == in_used) {
		set_hcall(H_GET_TERM_CHAR, VTY, 0, 0, 0);
		hcall();
		in_used = (unsigned int)reg[1];
		in_at = 0;
		__builtin_memcpy(in, &reg[2], sizeof(in));
		if (in_used)
			break;
		/* A millisecond or less of rest */
		asm volatile("mtdec %0" : : "r"(100000));
		set_hcall(H_CEDE, 0, 0, 0, 0);
		hcall();
	}
	return (char)in[in_at++];
}

static void read_line(void)
{
	size_t used = 0;
	char c;

	while ((c = next()) != '\n' && used < sizeof(line) - 1)
		line[used++] = c;
	line[used] = 0;
}

static int digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static uint64_t number(const char **p)
{
	uint64_t value = 0;

	while (**p == ' ')
		(*p)++;
	while (digit(**p) >= 0)
		value = value << 4 | (uint64_t)digit(*(*p)++);
	return value;
}

static void do_hcall(const char *p)
{
	for (unsigned int i = 0; i < 10; i++)
		reg[i] = number(&p);
	hcall();
	/* The output is made with hcalls, too */
	uint64_t result[5];

	__builtin_memcpy(result, reg, sizeof(result));
	for (unsigned int i = 0; i < 5; i++) {
		put_number(result[i], 16);
		put(i < 4 ? ' ' : '\n');
	}
	flush();
}

static void do_timed(const char *p)
{
	uint64_t count = number(&p), begin, end, args[10], rc = 0;

	for (unsigned int i = 0; i < 10; i++)
		args[i] = number(&p);
	asm volatile("mftb %0" : "=r"(begin));
	while (count--) {
		__builtin_memcpy(reg, args, sizeof(reg));
		hcall();
		rc = reg[0];
	}
	asm volatile("mftb %0" : "=r"(end));
	put_number(rc, 16);
	put(' ');
	put_number(end - begin, 16);
	end_line();
}

static void do_read(const char *p)
{
	const volatile uint8_t *from = (const volatile uint8_t *)number(&p);
	uint64_t bytes = number(&p);

	while (bytes--)
		put_number(*from++, 2);
	end_line();
}

static void do_write(const char *p)
{
	volatile uint8_t *to = (volatile uint8_t *)number(&p);

	while (*p == ' ')
		p++;
	while (digit(p[0]) >= 0 && digit(p[1]) >= 0) {
		*to++ = (uint8_t)(digit(p[0]) << 4 | digit(p[1]));
		p += 2;
	}
	put_text("ok");
	end_line();
}

void run(uint64_t fdt);

void run(uint64_t fdt)
{
	/* After the machine's reset memory is as it was */
	out_used = 0;
	in_used = 0;
	in_at = 0;
	put_text("ready ");
	put_number(fdt, 16);
	end_line();
	for (;;) {
		read_line();
		if (line[0] == 'h')
			do_hcall(line + 1);
		else if (line[0] == 't')
			do_timed(line + 1);
		else if (line[0] == 'r')
			do_read(line + 1);
		else if (line[0] == 'w')
			do_write(line + 1);
	}
}
