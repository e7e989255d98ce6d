# SPDX-License-Identifier: GPL-2.0-or-later
#
# make            build libraries and programs into build/
# make help       everything else
#
# V=1             show the commands
# SANITIZE=1      AddressSanitizer and UndefinedBehaviorSanitizer, in build-asan/
# SANITIZE=thread ThreadSanitizer, in build-tsan/
# FUZZ=1          for the fuzzers, in build-fuzz/ (make fuzz sets it)
# CC=clang        another compiler
# O=DIR           another build directory
# CROSS_COMPILE=PREFIX SYSROOT=DIR
#                 for another architecture, with the libraries in DIR

MAKEFLAGS += --no-print-directory -rR
.DELETE_ON_ERROR:
.SECONDARY:
.DEFAULT_GOAL := all

VERSION := 0.1

ifeq ($(origin CC),default)
CC := $(CROSS_COMPILE)gcc
else
CC ?= $(CROSS_COMPILE)gcc
endif
ifeq ($(origin AR),default)
AR := $(CROSS_COMPILE)ar
else
AR ?= $(CROSS_COMPILE)ar
endif
PKG_CONFIG	?= pkg-config
ifneq ($(SYSROOT),)
override CC += --sysroot=$(SYSROOT)
TRIPLET := $(shell $(CC) -dumpmachine)
override PKG_CONFIG := env PKG_CONFIG_SYSROOT_DIR=$(SYSROOT) \
	PKG_CONFIG_LIBDIR=$(SYSROOT)/usr/lib/$(TRIPLET)/pkgconfig:$(SYSROOT)/usr/share/pkgconfig \
	$(PKG_CONFIG)
endif
PYTHON		?= python3
SPHINXBUILD	?= sphinx-build
SPARSE		?= sparse
PREFIX		?= /usr/local

ifeq ($(V),1)
Q :=
say = @:
else
Q := @
say = @printf '  %-7s %s\n' '$(1)' '$(2)'
endif

# One build directory for each kind of build

ifeq ($(FUZZ),1)
O ?= build-fuzz
SANFLAGS := -fsanitize=fuzzer-no-link,address,undefined \
	    -fno-sanitize-recover=undefined -fno-omit-frame-pointer
else ifeq ($(SANITIZE),)
O ?= build
SANFLAGS :=
else ifeq ($(SANITIZE),thread)
O ?= build-tsan
SANFLAGS := -fsanitize=thread
else
O ?= build-asan
SANFLAGS := -fsanitize=address,undefined -fno-sanitize-recover=undefined \
	    -fno-omit-frame-pointer
endif

# Debian packages

DEPS_BUILD := gcc libc6-dev make pkg-config liburing-dev libjansson-dev \
	      libsystemd-dev libssl-dev libnl-3-dev libnl-genl-3-dev \
	      libncurses-dev
DEPS_RUN   := python3 util-linux procps iproute2 openssh-client
DEPS_CHECK := libcmocka-dev python3-sphinx sparse openssl openssh-server \
	      python3-paramiko python3-pexpect
DEPS_FUZZ  := clang-14 libclang-rt-14-dev libcmocka-dev
DEPS_GUEST := qemu-system-x86 qemu-system-ppc device-tree-compiler
# For modules, of the kernel that runs and of others
DEPS_MODULES := gcc make bc flex bison libelf-dev libssl-dev kmod cpio
DEPS_CROSS   := $(DEPS_MODULES) python3 sparse \
		gcc-powerpc64le-linux-gnu libc6-dev-ppc64el-cross
DEPS_QEMU  := qemu-system-ppc dpkg-dev binutils meson ninja-build libglib2.0-dev \
	      libpixman-1-dev libfdt-dev gcc-powerpc64le-linux-gnu
# What is optional elsewhere is not in continuous integration
DEPS_CHECK += $(if $(filter true,$(CI)),$(DEPS_FUZZ))

# Flags

PKGS := liburing jansson libsystemd libssl libcrypto
# Only for what looks at the driver's notifications
NL_PKGS := libnl-genl-3.0
# Asked once, and only when something is compiled
PKG_CFLAGS = $(eval PKG_CFLAGS := $$(shell $(PKG_CONFIG) --cflags $(PKGS) $(NL_PKGS)))$(PKG_CFLAGS)
PKG_LIBS   = $(eval PKG_LIBS := $$(shell $(PKG_CONFIG) --libs $(PKGS)))$(PKG_LIBS)
NL_LIBS	   = $(eval NL_LIBS := $$(shell $(PKG_CONFIG) --libs $(NL_PKGS)))$(NL_LIBS)

CFLAGS	 ?= -O2 -g
STD	 := -std=gnu11 -D_GNU_SOURCE=
WARNINGS := -Wall -Wextra -Werror -Wmissing-prototypes -Wstrict-prototypes
INCLUDES := -Iuapi -Idriver -Iuserspace
ALL_CFLAGS  = $(STD) $(CFLAGS) $(WARNINGS) $(INCLUDES) -pthread \
	      -DVASI_VERSION='"$(VERSION)"' $(SANFLAGS) $(PKG_CFLAGS)
ALL_LDFLAGS = -pthread $(SANFLAGS) $(LDFLAGS)

# Sources: every .c file of a directory belongs to its library or program

MSPD_MAINS := userspace/mspd/mspd.c userspace/mspd/mspctl.c

codec_SRCS   := $(wildcard driver/vasi_codec.c)
common_SRCS  := $(sort $(wildcard userspace/common/*.c))
violink_SRCS := $(sort $(wildcard userspace/violink/*.c))
guestlink_SRCS := $(sort $(wildcard userspace/guestlink/*.c))
libvasi_SRCS := $(sort $(wildcard userspace/libvasi/*.c))
libphyp_SRCS := $(sort $(wildcard userspace/phyp/*.c))
phypd_SRCS   := $(sort $(filter-out %/main.c,$(wildcard userspace/phyp/phypd/*.c)))
mspd_SRCS    := $(sort $(filter-out $(MSPD_MAINS),$(wildcard userspace/mspd/*.c)))
hmc_SRCS     := $(sort $(filter-out %/hmc.c %/lpmtop.c %/lpmtop_draw.c,$(wildcard userspace/hmc/*.c)))
phypctl_SRCS := $(sort $(filter-out %/phypctl.c,$(wildcard userspace/phyp/phypctl/*.c)))
agent_SRCS   := $(sort $(filter-out %/lpar-agent.c,$(wildcard userspace/agent/*.c)))
vswitch_SRCS := $(sort $(filter-out %/vasi-vswitch.c,$(wildcard userspace/vswitch/*.c)))

objs = $(patsubst %.c,$(O)/obj/%.o,$(1))

# Archives: what is installed, and what only our own programs and tests use
LIBS	  := libvasi libphyp libviolink libvasicodec libcommon
INNER	  := libmspd libvasiphypd libhmc libguestlink libvswitch
LIB_FILES := $(LIBS:%=$(O)/%.a)
ARCHIVES  := $(LIB_FILES) $(INNER:%=$(O)/%.a)

$(O)/libvasicodec.a:	$(call objs,$(codec_SRCS))
$(O)/libcommon.a:	$(call objs,$(common_SRCS))
$(O)/libviolink.a:	$(call objs,$(violink_SRCS))
$(O)/libvasi.a:		$(call objs,$(libvasi_SRCS))
$(O)/libphyp.a:		$(call objs,$(libphyp_SRCS))
$(O)/libvasiphypd.a:	$(call objs,$(phypd_SRCS))
$(O)/libguestlink.a:	$(call objs,$(guestlink_SRCS))
$(O)/libmspd.a:		$(call objs,$(mspd_SRCS))
$(O)/libhmc.a:		$(call objs,$(hmc_SRCS))
$(O)/libvswitch.a:	$(call objs,$(vswitch_SRCS))

# program <- main file, when it is there
main_mspd	:= $(wildcard userspace/mspd/mspd.c)
main_mspctl	:= $(wildcard userspace/mspd/mspctl.c)
main_vasi-phypd	:= $(wildcard userspace/phyp/phypd/main.c)
main_phypctl	:= $(wildcard userspace/phyp/phypctl/phypctl.c)
main_hmc	:= $(wildcard userspace/hmc/hmc.c)
# A terminal's programs are not for partitions
main_lpmtop	:= $(if $(SYSROOT),,$(wildcard userspace/hmc/lpmtop.c userspace/hmc/lpmtop_draw.c))
main_vasimon	:= $(wildcard userspace/vasimon/vasimon.c)
main_lpar-agent	:= $(wildcard userspace/agent/lpar-agent.c)
main_vasi-vswitch := $(wildcard userspace/vswitch/vasi-vswitch.c)

PROGS := $(strip $(foreach p,mspd mspctl vasi-phypd phypctl hmc lpmtop vasimon lpar-agent \
	vasi-vswitch,$(if $(main_$(p)),$(p))))
PROG_FILES := $(PROGS:%=$(O)/%)
# hmc goes by the names of the console's commands
CONSOLE := migrlpar lslparmigr lssyscfg lshwres lsrefcode chsyscfg chsysstate mksyscfg \
	   rmsyscfg chlparstate diagrmc lshmc lshmcusr mkauthkeys hmcrelay hmcsh
CONSOLE_FILES := $(CONSOLE:%=$(O)/%)

$(foreach p,$(PROGS),$(eval $(O)/$(p): $(call objs,$(main_$(p)))))

UNIT_SRCS := $(sort $(wildcard selftests/unit/test_*.c))
UNIT_FILES := $(UNIT_SRCS:selftests/unit/%.c=$(O)/unit/%)
# What several unit tests share
UNIT_LIB_SRCS := $(sort $(filter-out selftests/unit/test_%,$(wildcard selftests/unit/*.c)))

# What several tools share
TOOL_LIB_SRCS := selftests/tools/raw.c
TOOL_SRCS := $(sort $(filter-out $(TOOL_LIB_SRCS),$(wildcard selftests/tools/*.c)))
TOOL_FILES := $(TOOL_SRCS:selftests/tools/%.c=$(O)/tools/%)

# What runs in a partition while it moves: each file is a program
INSIDE_SRCS := $(sort $(wildcard selftests/guest/inside/*.c))
INSIDE_FILES := $(INSIDE_SRCS:selftests/guest/inside/%.c=$(O)/inside/%)

FUZZ_SRCS := $(sort $(wildcard selftests/fuzz/fuzz_*.c))
FUZZ_FILES := $(FUZZ_SRCS:selftests/fuzz/%.c=$(O)/fuzz/%)
# What the fuzzer of the mover has in place of sockets, threads and the VIO link
FUZZ_MOVER_SRCS := $(sort $(wildcard selftests/fuzz/mover_*.c))

# Builds

PHONY += all tests
all: $(LIB_FILES) $(PROG_FILES) $(CONSOLE_FILES)
tests: all $(UNIT_FILES) $(TOOL_FILES) $(INSIDE_FILES)

# Written anew when compiler or flags change, so that everything is rebuilt
$(O)/.flags: FORCE | $(O)/.deps
	$(Q)mkdir -p $(@D)
	$(Q)printf '%s\n' '$(subst ','\'',$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS))' > $@.new
	$(Q)if cmp -s $@.new $@; then rm -f $@.new; else mv -f $@.new $@; fi

# Plain make installs nothing: it says what is missing
$(O)/.deps:
	$(Q)$(call missing_packages,$(if $(SYSROOT),,$(DEPS_BUILD))); \
	if [ -n "$$missing" ]; then \
		echo "Debian packages are missing:$$missing" >&2; \
		echo "Install them with: make deps (as root)" >&2; \
		exit 1; \
	fi
	$(Q)mkdir -p $(@D) && touch $@

$(O)/obj/%.o: %.c $(O)/.flags
	$(call say,CC,$<)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

$(ARCHIVES): $(O)/%.a: $(O)/.flags
	$(call say,AR,$@)
	$(Q)rm -f $@
	$(Q)$(AR) rcsD $@ $(filter %.o,$^)

link = $(CC) $(ALL_LDFLAGS) -o $@ $(filter %.o,$^) \
	-Wl,--start-group $(filter %.a,$^) -Wl,--end-group $(PKG_LIBS) $(MORE_LIBS)

$(O)/mspd $(O)/mspctl: $(O)/libmspd.a
$(O)/vasi-phypd $(O)/phypctl: $(O)/libvasiphypd.a $(O)/libguestlink.a
$(O)/phypctl: $(call objs,$(phypctl_SRCS))
$(O)/hmc $(O)/lpmtop: $(O)/libhmc.a
$(O)/vasi-vswitch: $(O)/libvswitch.a
$(O)/mspd $(O)/vasimon $(O)/unit/test_driver_nl: MORE_LIBS = $(NL_LIBS)
$(O)/hmc $(O)/unit/test_predict: MORE_LIBS = -lm
$(O)/lpmtop: MORE_LIBS = -lncurses -ltinfo -lm
# It is for partitions that have nothing else of ours, and no library but libc
$(O)/lpar-agent: $(call objs,$(agent_SRCS))
$(O)/lpar-agent: PKG_LIBS =

$(CONSOLE_FILES): $(O)/hmc
	$(Q)ln -sf hmc $@

$(PROG_FILES): $(LIB_FILES)
	$(call say,LD,$@)
	$(Q)$(link)

$(UNIT_FILES): $(O)/unit/%: $(O)/obj/selftests/unit/%.o \
		$(call objs,$(UNIT_LIB_SRCS)) $(ARCHIVES)
	$(call say,LD,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(link) -lcmocka

$(TOOL_FILES): $(O)/tools/%: $(O)/obj/selftests/tools/%.o \
		$(call objs,$(TOOL_LIB_SRCS)) $(ARCHIVES)
	$(call say,LD,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(link)

# No library but libc
$(INSIDE_FILES): $(O)/inside/%: $(O)/obj/selftests/guest/inside/%.o
	$(call say,LD,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $<

$(O)/fuzz/fuzz_mover: $(call objs,$(FUZZ_MOVER_SRCS))

$(FUZZ_FILES): $(O)/fuzz/%: $(O)/obj/selftests/fuzz/%.o \
		$(call objs,$(UNIT_LIB_SRCS)) $(ARCHIVES)
	$(call say,LD,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(link) -fsanitize=fuzzer -lcmocka

ALL_OBJS := $(call objs,$(codec_SRCS) $(common_SRCS) $(violink_SRCS) $(guestlink_SRCS) \
	$(libvasi_SRCS) $(libphyp_SRCS) $(phypd_SRCS) $(phypctl_SRCS) $(mspd_SRCS) \
	$(hmc_SRCS) $(agent_SRCS) $(vswitch_SRCS) $(foreach p,$(PROGS),$(main_$(p))) \
	$(UNIT_SRCS) $(UNIT_LIB_SRCS) $(TOOL_SRCS) $(TOOL_LIB_SRCS) $(FUZZ_SRCS) \
	$(FUZZ_MOVER_SRCS) $(INSIDE_SRCS))
-include $(ALL_OBJS:.o=.d)

# Packages

# Shell text that sets $missing to the packages of $(1) that are not installed
missing_packages = missing=; \
	if command -v dpkg-query >/dev/null; then \
		for p in $(1); do \
			s=$$(dpkg-query -W -f='$${db:Status-Status} ' $$p 2>/dev/null); \
			case "$$s" in *"installed "*) ;; *) missing="$$missing $$p";; esac; \
		done; \
	fi

# Tests bring up what they need: no service of a package is to start
PHONY += deps
deps:
	$(Q)$(call missing_packages,$(DEPS_BUILD) $(DEPS_RUN) $(DEPS_CHECK) $(DEPS_MORE)); \
	[ -n "$$missing" ] || exit 0; \
	if [ "$$(id -u)" != 0 ]; then \
		echo "Debian packages are missing:$$missing" >&2; \
		echo "Run 'make deps' as root, or: apt-get install$$missing" >&2; \
		exit 1; \
	fi; \
	printf '  %-7s %s\n' APT "$$missing"; \
	export DEBIAN_FRONTEND=noninteractive; \
	policy=/usr/sbin/policy-rc.d; \
	[ -e $$policy ] || { trap "rm -f $$policy" EXIT; \
		printf '#!/bin/sh\nexit 101\n' > $$policy; chmod 755 $$policy; }; \
	install="apt-get install -qq -y --no-install-recommends$$missing"; \
	{ apt-get check -qq && $$install; } >/dev/null 2>&1 </dev/null || \
	{ apt-get update -qq && $$install; } >/dev/null </dev/null

# The kernel driver.  The kernel's build system has its own idea of O=, CC= and the
# like, so that only what it is meant to see is handed on.

KDIR ?= /lib/modules/$(shell uname -r)/build
KERNEL_VARIABLES := ARCH CROSS_COMPILE LLVM KCFLAGS W C CF V INSTALL_MOD_PATH INSTALL_MOD_DIR
KERNEL_MAKE = MAKEFLAGS= $(MAKE) $(JOBS) -C $(KDIR) M=$(CURDIR)/driver \
	$(foreach v,$(KERNEL_VARIABLES),$(if $($(v)),$(v)='$($(v))'))

PHONY += modules modules_install kdir
modules modules_install: kdir
	$(Q)$(KERNEL_MAKE) $@

kdir:
	$(Q)if [ ! -e '$(KDIR)/Makefile' ]; then \
		echo 'No headers of a kernel in $(KDIR).' >&2; \
		echo 'Install linux-headers-ARCHITECTURE, or name them: KDIR=DIR' >&2; \
		exit 1; \
	fi

# The same for each kernel in CACHE (.cache): build/modules/ARCH-SERIES/
PHONY += guest-modules
guest-modules:
	$(Q)$(MAKE) DEPS_MORE='$(DEPS_CROSS)' deps
	$(Q)BUILD='$(abspath $(O))' $(PYTHON) -B selftests/guest/kbuild.py $(KERNELS)

# Warnings, sparse and checkpatch.pl, for all of them
PHONY += check-modules
check-modules:
	$(Q)$(MAKE) DEPS_MORE='$(DEPS_CROSS)' deps
	$(Q)$(RUN) --suite modules

# Our programs and the driver's tests for a guest's architecture, in build-ARCH/
GUEST_ARCH	:= ppc64el
GUEST_CROSS	:= powerpc64le-linux-gnu-

PHONY += guest-programs partition-programs
guest-programs: partition-programs
	$(Q)$(MAKE) kselftests

partition-programs:
	$(Q)$(MAKE) DEPS_MORE='$(DEPS_CROSS)' deps
	$(Q)sysroot=$$($(PYTHON) -B selftests/guest/sysroot.py $(GUEST_ARCH)) && \
	MAKEFLAGS= $(MAKE) $(JOBS) $(if $(V),V=$(V)) O=build-$(GUEST_ARCH) \
		CROSS_COMPILE=$(GUEST_CROSS) SYSROOT=$$sysroot all \
		build-$(GUEST_ARCH)/tools/driver_bench \
		$(INSIDE_FILES:$(O)/%=build-$(GUEST_ARCH)/%)

# Tests of the driver, as in a kernel's tree: what they share with its other tests
# comes from there.  In build-ARCH/vasi/
PHONY += kselftests
kselftests:
	$(Q)mkdir -p build-$(GUEST_ARCH)/vasi
	$(Q)kselftest=$$($(PYTHON) -B selftests/guest/kernels.py --kselftest) && \
	MAKEFLAGS= $(MAKE) $(JOBS) -C selftests/vasi $(if $(V),V=$(V)) \
		KSELFTEST="$$kselftest" KHDR_INCLUDES='-I$(CURDIR)/uapi' \
		CROSS_COMPILE=$(GUEST_CROSS) USERCFLAGS=-Werror \
		OUTPUT='$(CURDIR)/build-$(GUEST_ARCH)/vasi'

# Kernels into CACHE; the debug kernel takes minutes
PHONY += guest-kernels
guest-kernels:
	$(Q)$(MAKE) DEPS_MORE='$(DEPS_CROSS)' deps
	$(Q)$(PYTHON) -B selftests/guest/kernels.py $(KERNELS)

# Tests.  Each step is a make of its own: packages may appear in between.

JOBS = $(if $(findstring jobserver,$(MAKEFLAGS)),,-j$(shell nproc))
RUN  = CC="$(CC)" $(PYTHON) -B selftests/run --build $(O) \
	$(if $(SANITIZE),--sanitize $(SANITIZE)) \
	$(if $(STRICT_SKIPS),--strict-skips) $(if $(V),--verbose) \
	$(foreach t,$(TESTS),--only '$(t)')

# Kernels, the driver and guests are nothing that a sanitizer could look into
PHONY += check unit e2e
check:
	$(Q)$(MAKE) $(if $(SANITIZE),,DEPS_MORE='$(DEPS_CROSS) $(DEPS_GUEST) $(DEPS_QEMU)') deps
	$(Q)$(MAKE) $(JOBS) tests
	$(Q)$(if $(SANITIZE),,! $(CAN_FUZZ) || $(MAKE) $(JOBS) $(FUZZ_BUILD) fuzzers)
	$(Q)$(if $(SANITIZE),,$(MAKE) guest-files)
	$(Q)$(RUN)

# What guests are made of
PHONY += guest-files
guest-files:
	$(Q)$(MAKE) guest-kernels
	$(Q)$(MAKE) guest-programs
	$(Q)$(MAKE) $(JOBS) qemu-files

unit: deps
	$(Q)$(MAKE) $(JOBS) tests
	$(Q)$(RUN) --suite unit

e2e: deps
	$(Q)$(MAKE) $(JOBS) tests
	$(Q)$(RUN) --suite e2e

# Tests under kernels that are fetched into CACHE (.cache) and not installed
PHONY += guest
guest:
	$(Q)$(MAKE) DEPS_MORE='$(DEPS_GUEST) $(DEPS_QEMU)' deps
	$(Q)$(MAKE) $(JOBS) tests
	$(Q)$(MAKE) guest-files
	$(Q)$(RUN) --suite guest

# The driver, over and over.  ARGS='--percent 10 --moves 2 ppc64el-6.12' for less
PHONY += soak-driver
soak-driver:
	$(Q)$(MAKE) DEPS_MORE='$(DEPS_GUEST) $(DEPS_QEMU)' deps
	$(Q)$(MAKE) $(JOBS) tests
	$(Q)$(MAKE) guest-programs
	$(Q)$(MAKE) $(JOBS) qemu-files
	$(Q)$(PYTHON) -B selftests/soak/driver.py --build $(O) $(ARGS)

# The driver beside the user-mode driver, in a guest.  ARGS=-h shows options
PHONY += bench-driver
bench-driver:
	$(Q)$(MAKE) DEPS_MORE='$(DEPS_GUEST) $(DEPS_QEMU)' deps
	$(Q)$(MAKE) $(JOBS) tests
	$(Q)$(MAKE) guest-kernels KERNELS=ppc64el-6.12
	$(Q)$(MAKE) guest-modules KERNELS=ppc64el-6.12
	$(Q)$(MAKE) guest-programs
	$(Q)$(MAKE) $(JOBS) qemu-files
	$(Q)$(PYTHON) -B selftests/bench/driver.py --build $(O) $(ARGS)

# A VASI device for the QEMU that is installed, and a firmware for its tests.
# The device is bound to that binary: headers.py gets its headers into CACHE.

PHONY += qemu-plugin qemu-files qemu-tree
# Fallback: build/qemu/qemu-system-ppc64 with the device in it (minutes)
qemu-tree:
	$(Q)$(MAKE) DEPS_MORE='$(DEPS_QEMU)' deps
	$(Q)$(PYTHON) -B selftests/qemu/headers.py --whole $(O)/qemu/qemu-system-ppc64

qemu-plugin:
	$(Q)$(MAKE) DEPS_MORE='$(DEPS_QEMU)' deps
	$(Q)$(MAKE) $(JOBS) qemu-files

# With QEMU's headers, and without
QEMU_PARTS := spapr-vasi announce plugin partition dirty suspend processors
QEMU_SRCS := $(violink_SRCS) $(guestlink_SRCS) userspace/common/unixsock.c \
	     selftests/qemu/pager.c
QEMU_OBJS := $(QEMU_PARTS:%=$(O)/qemu/%.o) $(QEMU_SRCS:%.c=$(O)/qemu/%.o)
# Nothing of ours is to meet a name of QEMU's
QEMU_CFLAGS := -std=gnu11 -O2 -g -D_GNU_SOURCE= -fPIC -fvisibility=hidden -pthread \
	       -Wall -Werror -Wmissing-prototypes -Wstrict-prototypes -Iuapi -Iuserspace
POWERPC := powerpc64le-linux-gnu-

qemu-files: $(O)/qemu/spapr-vasi.so $(O)/qemu/count.so $(O)/qemu/monitor.bin

$(O)/qemu/flags: FORCE
	$(Q)$(PYTHON) -B selftests/qemu/headers.py $@

$(QEMU_PARTS:%=$(O)/qemu/%.o): $(O)/qemu/%.o: selftests/qemu/%.c $(O)/qemu/flags
	$(call say,CC,$<)
	$(Q)$(CC) @$(O)/qemu/flags $(QEMU_CFLAGS) -fno-strict-aliasing -fno-common \
		-fwrapv -D_FILE_OFFSET_BITS=64 -DSPAPR_VASI_PLUGIN -MMD -MP -c -o $@ $<

$(QEMU_SRCS:%.c=$(O)/qemu/%.o): $(O)/qemu/%.o: %.c
	$(call say,CC,$<)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(QEMU_CFLAGS) -MMD -MP -c -o $@ $<

$(O)/qemu/spapr-vasi.so: $(QEMU_OBJS)
	$(call say,LD,$@)
	$(Q)$(CC) -shared -Wl,-Bsymbolic,-z,now -o $@ $^

# It needs the plug-in interface only
$(O)/qemu/count.so: selftests/qemu/count.c $(O)/qemu/flags
	$(call say,LD,$@)
	$(Q)$(CC) @$(O)/qemu/flags $(QEMU_CFLAGS) -shared -Wl,-z,now -o $@ $<

$(O)/qemu/monitor.elf: selftests/qemu/monitor.c selftests/qemu/monitor.ld
	$(call say,CC,$<)
	$(Q)mkdir -p $(@D)
	$(Q)$(POWERPC)gcc -mbig-endian -mabi=elfv2 -mcpu=power8 -mno-altivec -mno-vsx \
		-msoft-float -ffreestanding -fno-pic -fno-stack-protector -O2 \
		-Wall -Werror -nostdlib -static -Wl,-EB,--build-id=none,--no-warn-rwx-segments \
		-Wl,-T,selftests/qemu/monitor.ld -o $@ $<

$(O)/qemu/monitor.bin: $(O)/qemu/monitor.elf
	$(Q)$(POWERPC)objcopy -O binary $< $@

-include $(QEMU_OBJS:.o=.d)

# What a partition that runs Linux needs, with one kernel
PHONY += linux-files
LINUX_KERNEL ?= ppc64el-6.12
linux-files:
	$(Q)$(MAKE) DEPS_MORE='$(DEPS_CROSS) $(DEPS_GUEST) $(DEPS_QEMU)' deps
	$(Q)$(MAKE) $(JOBS) tests
	$(Q)$(MAKE) guest-kernels KERNELS=$(LINUX_KERNEL)
	$(Q)$(MAKE) partition-programs
	$(Q)$(MAKE) $(JOBS) qemu-files

# GUEST=linux: the partition is a Linux guest.  ARGS=-h shows options
PHONY += demo bench soak soak-moves
demo bench: $(if $(GUEST),$(GUEST)-files,deps)
	$(Q)$(if $(GUEST),,$(MAKE) $(JOBS) tests)
	$(Q)$(PYTHON) -B selftests/$@/$(if $(GUEST),$(GUEST),$@).py --build $(O) $(ARGS)

# Movers that are guests, too.  What it was made of in which time is shown in the end
PHONY += demo-pseries
demo-pseries:
	$(Q)began=$$(date +%s) && \
	$(MAKE) DEPS_MORE='$(DEPS_CROSS) $(DEPS_GUEST) $(DEPS_QEMU)' deps && \
	packages=$$(date +%s) && $(MAKE) guest-kernels KERNELS=$(LINUX_KERNEL) && \
	kernel=$$(date +%s) && $(MAKE) linux-files && programs=$$(date +%s) && \
	$(MAKE) guest-modules KERNELS=$(LINUX_KERNEL) && driver=$$(date +%s) && \
	$(PYTHON) -B selftests/demo/pseries.py --build $(O) --kernel $(LINUX_KERNEL) \
		--before "packages=$$((packages - began)) kernel-and-headers=$$((kernel - packages)) \
		programs-and-plug-in=$$((programs - kernel)) driver=$$((driver - programs))" $(ARGS)

soak-moves: deps
	$(Q)$(MAKE) $(JOBS) tests
	$(Q)$(PYTHON) -B selftests/soak/soak.py --build $(O) $(ARGS)

# Each has options of its own: see its ARGS=-h
soak:
	$(Q)$(MAKE) soak-moves ARGS=
	$(Q)$(MAKE) soak-driver ARGS=
	$(Q)$(MAKE) soak-linux ARGS=

# Every kernel, number of processors, load and kind of page tables.
# ARGS='--only stress' for less
PHONY += soak-linux
soak-linux: linux-files
	$(Q)$(MAKE) guest-kernels KERNELS=ppc64el-6.1
	$(Q)BUILD='$(abspath $(O))' $(PYTHON) -B selftests/guest/test_linux_move.py \
		--matrix $(ARGS)

# Fuzzers.  SECONDS= is for each; ARGS=-h shows more

PHONY += fuzz fuzzers
FUZZ_CC ?= clang-14
FUZZ_BUILD := FUZZ=1 SANITIZE= O=build-fuzz CC=$(FUZZ_CC)
CAN_FUZZ = { echo 'int LLVMFuzzerTestOneInput(void) { return 0; }' | \
	$(FUZZ_CC) -fsanitize=fuzzer,address -x c -o /dev/null - 2>/dev/null; }

fuzzers: $(FUZZ_FILES)

fuzz:
	$(Q)$(MAKE) DEPS_MORE='$(DEPS_FUZZ)' deps
	$(Q)$(MAKE) $(JOBS) $(FUZZ_BUILD) fuzzers
	$(Q)$(PYTHON) -B selftests/fuzz/fuzz.py --build build-fuzz \
		--seconds $(or $(SECONDS),60) $(foreach t,$(TESTS),--only '$(t)') $(ARGS)

PHONY += docs
docs:
	$(call say,SPHINX,$(O)/docs/html)
	$(Q)$(SPHINXBUILD) -q -W --keep-going -b html -d $(O)/docs/doctrees \
		Documentation $(O)/docs/html

# What warnings there are, make check tells: they keep nobody from installing
PHONY += man
man: $(O)/docs/man/.built

$(O)/docs/man/.built: $(wildcard Documentation/man/*.rst) Documentation/conf.py
	$(call say,SPHINX,$(@D))
	$(Q)rm -rf $(@D)
	$(Q)$(SPHINXBUILD) -q -b man -d $(O)/docs/doctrees-man Documentation $(@D)
	$(Q)touch $@

# Static checks

C_FILES := $(codec_SRCS) $(common_SRCS) $(violink_SRCS) $(libvasi_SRCS) \
	$(libphyp_SRCS) $(phypd_SRCS) $(mspd_SRCS) $(hmc_SRCS) $(agent_SRCS) \
	$(vswitch_SRCS) $(guestlink_SRCS) \
	$(foreach p,$(PROGS),$(main_$(p)))

PHONY += sparse checkpatch
# Byte order, where messages are taken apart and put together
SPARSE_SRCS := $(codec_SRCS) $(violink_SRCS) $(libphyp_SRCS) \
	$(wildcard userspace/mspd/wire.c)

sparse:
	$(call say,SPARSE,byte order)
	$(Q)$(SPARSE) -Wsparse-error -Wbitwise -Iselftests/sparse $(STD) \
		$(INCLUDES) $(PKG_CFLAGS) $(SPARSE_SRCS)

CHECKPATCH ?= checkpatch.pl
# What only the kernel has (min_t(), __packed, BIT(), %llu for every u64), and what it
# takes for something else: mb(), TAILQ_HEAD(), __int128, compound literals
CHECKPATCH_IGNORE := FILE_PATH_CHANGES PREFER_KERNEL_TYPES \
	PREFER_DEFINED_ATTRIBUTE_MACRO MINMAX BIT_MACRO CAMELCASE SPLIT_STRING \
	LONG_LINE_STRING MEMORY_BARRIER LINE_SPACING UNSPECIFIED_INT \
	EMBEDDED_FUNCTION_NAME COMPLEX_MACRO MACRO_ARG_REUSE REPEATED_WORD \
	UNNECESSARY_ELSE ASSIGN_IN_IF
comma := ,
space := $(subst ,, )

# CHECKPATCH=.../scripts/checkpatch.pl of any kernel tree
checkpatch:
	$(Q)$(CHECKPATCH) --no-tree --strict --terse --no-summary \
		--max-line-length=100 --show-types \
		--ignore $(subst $(space),$(comma),$(strip $(CHECKPATCH_IGNORE))) \
		-f $(C_FILES) $(wildcard uapi/linux/*.h driver/*.h \
		userspace/*/*.h userspace/*/*/*.h)

# Installation

BINDIR	   := $(DESTDIR)$(PREFIX)/bin
SBINDIR	   := $(DESTDIR)$(PREFIX)/sbin
LIBDIR	   := $(DESTDIR)$(PREFIX)/lib
INCLUDEDIR := $(DESTDIR)$(PREFIX)/include
MANDIR	   := $(DESTDIR)$(PREFIX)/share/man
COMPLETIONDIR := $(DESTDIR)$(PREFIX)/share/bash-completion/completions
# Commands of the console that somebody types
TYPED	   := $(filter-out hmcrelay hmcsh,$(CONSOLE)) lpmtop
CONTROLS   := $(filter %ctl hmc lpmtop vasimon,$(PROGS))
DAEMONS	   := $(filter-out $(CONTROLS),$(PROGS))

PHONY += install
install: all install-driver
	$(Q)install -d $(BINDIR) $(SBINDIR) $(LIBDIR) $(INCLUDEDIR)/linux
	$(Q)for p in $(CONTROLS); do install -m 755 $(O)/$$p $(BINDIR); done
	$(Q)for c in $(CONSOLE); do ln -sf hmc $(BINDIR)/$$c; done
	$(Q)for p in $(DAEMONS); do install -m 755 $(O)/$$p $(SBINDIR); done
	$(Q)install -d $(COMPLETIONDIR)
	$(Q)install -m 644 userspace/hmc/lpm.bash-completion $(COMPLETIONDIR)/hmc
	$(Q)for c in $(TYPED); do ln -sf hmc $(COMPLETIONDIR)/$$c; done
	$(Q)install -m 644 $(LIB_FILES) $(LIBDIR)
	$(Q)install -m 644 $(wildcard uapi/linux/*.h) $(INCLUDEDIR)/linux
	$(Q)install -m 644 userspace/libvasi/vasi.h userspace/phyp/phyp.h \
		driver/vasi_codec.h $(INCLUDEDIR)
	$(Q)if command -v $(SPHINXBUILD) >/dev/null; then \
		$(MAKE) install-man; \
	else \
		echo 'no manual pages: $(SPHINXBUILD) is not installed'; \
	fi

# What the driver needs around it, and its sources for DKMS; no kernel's headers
DKMSDIR := $(DESTDIR)$(PREFIX)/src/vasi-$(VERSION)

PHONY += install-driver
install-driver:
	$(Q)install -d $(LIBDIR)/udev/rules.d $(LIBDIR)/sysusers.d $(DKMSDIR)/driver \
		$(DKMSDIR)/uapi/linux
	$(Q)install -m 644 driver/60-vasi.rules $(LIBDIR)/udev/rules.d
	$(Q)install -m 644 driver/vasi.sysusers $(LIBDIR)/sysusers.d/vasi.conf
	$(Q)sed 's/^PACKAGE_VERSION=.*/PACKAGE_VERSION="$(VERSION)"/' dkms.conf > $(DKMSDIR)/dkms.conf
	$(Q)install -m 644 driver/Kbuild $(filter-out %.mod.c,$(wildcard driver/*.[ch])) \
		$(DKMSDIR)/driver
	$(Q)install -m 644 $(wildcard uapi/linux/*.h) $(DKMSDIR)/uapi/linux

PHONY += install-man
install-man: man
	$(Q)for s in 1 5 8; do \
		install -d $(MANDIR)/man$$s && \
		install -m 644 $(O)/docs/man/*.$$s $(MANDIR)/man$$s || exit; \
	done

PHONY += clean help FORCE
clean:
	$(call say,CLEAN,build)
	$(Q)rm -rf build build-asan build-tsan build-fuzz build-$(GUEST_ARCH) $(if $(filter-out build%,$(O)),$(O))
	$(Q)cd driver && rm -rf *.o *.ko *.mod *.mod.c .*.cmd .*.d modules.order \
		Module.symvers .tmp_versions
	$(Q)find selftests -name __pycache__ -type d -prune \
		-exec rm -rf {} +

help:
	@echo 'make              build libraries and programs into build/'
	@echo 'make demo         move a running 1 GiB partition and compare it (as root)'
	@echo 'make demo GUEST=linux   move a Linux guest, with its memory, console and network'
	@echo 'make demo-pseries  the same, and the movers are Linux guests with the driver'
	@echo 'make check        packages, build, and every test'
	@echo '                  TESTS=PATTERN    only tests whose name matches'
	@echo 'make unit, e2e    one kind of test'
	@echo 'make modules      the kernel driver for the kernel that runs; KDIR= ARCH='
	@echo '                  CROSS_COMPILE= for another; make modules_install'
	@echo 'make guest-modules  for every kernel the tests run; KERNELS=ppc64el-6.12 for one'
	@echo 'make guest-programs  the programs for those kernels'"'"' machine, in build-$(GUEST_ARCH)/'
	@echo 'make kselftests   the tests of the driver that run in guests'
	@echo 'make guest-kernels   those kernels, without waiting for a test that needs them'
	@echo 'make check-modules  what compiler, sparse and checkpatch.pl say of the driver'
	@echo 'make guest        tests in small machines with other kernels, under QEMU'
	@echo 'make qemu-plugin  a VASI device for the qemu-system-ppc64 that is installed'
	@echo 'make bench        measure the mover on this machine; GUEST=linux: with a Linux guest'
	@echo 'make bench-driver  measure the kernel and the user-mode driver in a guest'
	@echo 'make fuzz         feed the fuzzers; SECONDS=60 for each'
	@echo 'make soak         the two that follow'
	@echo 'make soak-moves   move partitions to and fro for a long time'
	@echo 'make soak-driver  open, reset and reload the driver over and over, in guests'
	@echo 'make docs, man    Documentation/ as HTML, its manual pages'
	@echo 'make sparse       check of byte order'
	@echo 'make checkpatch   coding style; CHECKPATCH=path of a kernel tree'"'"'s script'
	@echo 'make deps         install the Debian packages all this needs (as root)'
	@echo 'make install      DESTDIR= PREFIX=/usr/local'
	@echo 'make clean        remove every build directory'
	@echo
	@echo 'V=1 shows commands; SANITIZE=1 and SANITIZE=thread build with sanitizers;'
	@echo 'CC=clang, O=DIR, CFLAGS= and LDFLAGS= are what they usually are.'

FORCE:
.PHONY: $(PHONY)
