/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The compiled DSDT, as bytes between dsdt_start and dsdt_end. */
	.section .rodata
	.balign 16
	.globl dsdt_start, dsdt_end
dsdt_start:
	.incbin DSDT_AML
dsdt_end:
	.section .note.GNU-stack, "", @progbits
