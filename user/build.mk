# SPDX-License-Identifier: GPL-2.0-or-later
# What the Makefiles under user/ and selftests/ share. Include it with TOP set.

TOP		:= $(abspath $(TOP))
O		?= $(TOP)/build
CC		?= gcc
AR		?= ar
PKG_CONFIG	?= pkg-config
PREFIX		?= /usr/local
V		?= 0

# clang takes KVM's structs with a flexible array, put in front of room for it,
# for a mistake; gcc does not know the warning and ignores that.
# WERROR= lets a compiler newer than ours warn without failing.
WERROR		?= -Werror
WARNINGS	:= -Wall -Wextra -Wshadow -Wpointer-arith -Wstrict-prototypes \
		   -Wmissing-prototypes -Wwrite-strings -Wvla \
		   -Wno-unused-parameter \
		   -Wno-gnu-variable-sized-type-not-at-end $(WERROR)
CFLAGS		?= -O2 -g
ALL_CFLAGS	= -std=gnu11 -D_GNU_SOURCE -I$(TOP)/kmod/uapi \
		  -I$(TOP)/user/lib/include $(WARNINGS) $(CFLAGS)

# SANITIZE=1 builds everything with address and undefined-behaviour checks.
ifeq ($(SANITIZE),1)
ALL_CFLAGS	+= -fsanitize=address,undefined -fno-sanitize-recover=all \
		   -fno-omit-frame-pointer
LDFLAGS		+= -fsanitize=address,undefined
endif

ifeq ($(V),1)
Q		:=
msg		= @:
else
Q		:= @
msg		= @printf '  %-7s %s\n'
endif

VERSION		?= $(shell git -C $(TOP) describe --tags --always --dirty 2>/dev/null || echo unknown)
