# The commands of this project. `make help` lists them; CI calls nothing else.
SHELL := bash
.DEFAULT_GOAL := help

VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
GOFLAGS_BUILD := -trimpath -ldflags '-s -w -X main.version=$(VERSION)'
# One P for a test binary: with several, two timers of a synctest bubble that are due at once fire on two threads with one context of
# the race detector, and it crashes (Go 1.26). Packages still run beside each other.
GOTEST := go test -race -cpu 1 -timeout 300s
# What the cross compilers need to be told, for go build and go test.
SYSROOT := $(CURDIR)/build/sysroot
cross = GOARCH=$(1) GOARM=7 CGO_ENABLED=1 CC=$(3)-gcc CXX=$(3)-g++ \
	CGO_CFLAGS='-O2 -I$(SYSROOT)/$(2)/usr/include' CGO_CXXFLAGS='-O2 -I$(SYSROOT)/$(2)/usr/include' \
	CGO_LDFLAGS='-L$(SYSROOT)/$(2)/usr/lib/$(3) -Wl,-rpath-link=$(SYSROOT)/$(2)/usr/lib/$(3)' \
	PKG_CONFIG_SYSROOT_DIR=$(SYSROOT)/$(2) PKG_CONFIG_LIBDIR=$(SYSROOT)/$(2)/usr/lib/$(3)/pkgconfig:$(CURDIR)/capture/aec/pkgconfig
CROSS_arm64 := $(call cross,arm64,arm64,aarch64-linux-gnu)
CROSS_armv7 := $(call cross,arm,armhf,arm-linux-gnueabihf)

help: ## list the commands
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | sort | awk -F ':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'

# make demo CAMERA=/dev/video0 SOUND=default uses devices of this machine.
demo: ## a door and a resident's phone on one page, on this machine, without an account
	@scripts/setup.sh demo
	@mkdir -p build
	@[ -x build/intercom ] || echo "building build/intercom: a few minutes the first time" >&2
	@go build -ldflags '-X main.version=$(VERSION)' -o build/intercom ./cmd/intercom
	@build/intercom demo $(if $(CAMERA),--camera $(CAMERA)) $(if $(SOUND),--sound $(SOUND)) $(ARGS)

test: ## vet, unit tests with the race detector, and the main calls in a real browser
	@scripts/setup.sh test
	@$(MAKE) --no-print-directory lint
	@set -o pipefail; $(GOTEST) -json ./... | go run ./internal/cmd/skips
	@set -o pipefail; CGO_ENABLED=0 go test -json ./cmd/intercom | go run ./internal/cmd/skips
	@set -o pipefail; go test -tags e2e -count=1 -timeout 300s -json -run '$(MAIN_CALLS)' ./lab | go run ./internal/cmd/skips

# What make test and make faults run of the end-to-end suite; make e2e runs all the others.
MAIN_CALLS := ^(TestAnswered|TestDeclined|TestUnlock)$$
FAULTS := ^(TestMediaCut|TestNarrow|TestLinkChange|TestPageReconnects|TestChatRestart|TestChatLost|TestFirefoxReconnects|TestUDPBlocked|TestRelayRefused)$$

e2e: ## the rest of the calls in real browsers, and the table of times
	@scripts/setup.sh e2e
	@set -o pipefail; go test -tags e2e -count=1 -timeout 840s -json -skip '$(MAIN_CALLS)|$(FAULTS)' ./lab | go run ./internal/cmd/skips

faults: ## calls in a real browser whose network fails: cut, narrow, moved, blocked, without its server
	@scripts/setup.sh e2e
	@set -o pipefail; go test -tags e2e -count=1 -timeout 540s -json -run '$(FAULTS)' ./lab | go run ./internal/cmd/skips

# The guest is made first, so that its minutes are not a scenario's. What cannot be made is said,
# and skipped. The short run is CI's.
LABTEST := go test -tags e2e,lab -count=1 -parallel 4 -json
SKIPS = echo "lab: this machine cannot make a guest; its scenarios say what is missing" >&2
# The scenarios look in build/lab for what LAB_CACHE has.
LINK = $(if $(filter-out $(abspath build/lab),$(abspath $(LAB_CACHE))),mkdir -p build/lab && ln -sfn "$(abspath $(LAB_CACHE))/$1" build/lab/$1,true)
lab: ## the same program on real drivers, in a machine in QEMU: all scenarios, and a table of times
	@scripts/setup.sh lab && lab/guest/build.sh >/dev/null && $(call LINK,guest) || $(SKIPS)
	@scripts/setup.sh lab-arm64 && scripts/setup.sh cross && lab/guest/arm64.sh >/dev/null && $(call LINK,arm64) || $(SKIPS)
	@[ ! -e build/lab/arm64 ] || $(MAKE) --no-print-directory -s build-arm64
	@set -o pipefail; $(LABTEST) -timeout 1200s -run '$(SCENARIOS)' ./lab/vm ./lab | go run ./internal/cmd/skips -times

SCENARIOS := ^(TestMachine.*|TestGuest.*)$$
SHORT_SCENARIOS := ^(TestMachine|TestGuestCall|TestGuestDrivers)$$
lab-short: ## a representative few of the lab's scenarios, in less than 8 minutes
	@scripts/setup.sh lab && lab/guest/build.sh >/dev/null && $(call LINK,guest) || $(SKIPS)
	@set -o pipefail; $(LABTEST) -timeout 420s -run '$(SHORT_SCENARIOS)' ./lab/vm ./lab | go run ./internal/cmd/skips -times

lab-units: ## what make install installs, in a Debian machine in QEMU whose process 1 is systemd
	@scripts/setup.sh lab && lab/guest/build.sh >/dev/null && $(call LINK,guest) && lab/guest/units.sh >/dev/null && $(call LINK,units) || $(SKIPS)
	@set -o pipefail; $(LABTEST) -timeout 420s -run '^TestUnits$$' ./lab | go run ./internal/cmd/skips -times

lab-shell: ## a shell in the lab's machine, with the page of a demo that runs there
	@scripts/setup.sh lab
	@lab/guest/build.sh >/dev/null
	@$(call LINK,guest)
	@go build -o build/lab/intercom ./cmd/intercom
	@go build -o build/lab/shell ./lab/shell
	@build/lab/shell

bench: ## a table of what picture and sound cost, as ratios to the encoder alone
	@scripts/setup.sh test
	@go test -tags bench -count=1 -timeout 600s -v -run '^TestTable$$' ./lab/bench
	@go test -tags bench -cpu 1 -p 1 -count=1 -timeout 300s -v -run '^(TestCompare|TestTable)$$' ./capture/aec ./capture/audio

lint: ## gofmt, vet with and without cgo, go.mod tidy
	@bad=$$(git ls-files '*.go' | xargs gofmt -l); [ -z "$$bad" ] || { echo "gofmt would change:"; echo "$$bad"; exit 1; }
	@go vet ./...
	@go vet -tags e2e ./lab/...
	@go vet -tags soak ./callcore
	@go vet -tags e2e,lab ./lab/...
	@go vet -tags bench ./lab/bench ./capture/aec/... ./capture/audio
	@CGO_ENABLED=0 go build ./...
	@CGO_ENABLED=0 go vet ./...
	@go mod tidy -diff

build: build-amd64 build-arm64 build-armv7 ## the program for amd64, arm64 and armv7, in build/

build-amd64:
	@scripts/setup.sh build
	GOARCH=amd64 CGO_ENABLED=1 go build $(GOFLAGS_BUILD) -o build/intercom-amd64 ./cmd/intercom

build-arm64 build-armv7: build-%:
	@scripts/setup.sh cross
	$(CROSS_$*) go build $(GOFLAGS_BUILD) -o build/intercom-$* ./cmd/intercom

# The codecs, what moves pixels and packets, and what knows the kernel's structures, by user emulation: thirty times slower, so
# without the tests that look at long films and at every room, which say the same on all processors.
CROSS_TESTED := ./internal/pixels ./internal/payload ./internal/annexb ./internal/uapi ./capture ./capture/soft/... ./capture/m2m ./capture/v4l2 ./capture/audio ./capture/video
# Nor does qemu know the requests of video and input devices: it says so, in another way than a kernel.
CROSS_SKIPPED := ^TestEncoder$$/^bit_rate$$|^TestNo(Video|Input)Device$$
CROSS_ROOMS := ^(TestNew|TestEcho|TestVisitorAlone|TestDeviceLost|TestAllocs|TestHalfDuplex|TestGateNoise)$$/^a_card_with_60_ms$$
QEMU_arm64 := qemu-aarch64 -L /usr/aarch64-linux-gnu -E LD_LIBRARY_PATH=$(SYSROOT)/arm64/usr/lib/aarch64-linux-gnu
QEMU_armv7 := qemu-arm -L /usr/arm-linux-gnueabihf -E LD_LIBRARY_PATH=$(SYSROOT)/armhf/usr/lib/arm-linux-gnueabihf
cross-test: cross-test-arm64 cross-test-armv7 ## the tests of codecs and conversions for arm64 and armv7, under qemu-user

cross-test-arm64 cross-test-armv7: cross-test-%:
	@scripts/setup.sh cross-test
	@set -o pipefail; { $(CROSS_$*) go test -exec '$(QEMU_$*)' -timeout 400s -json -skip '$(CROSS_SKIPPED)' $(CROSS_TESTED) && \
	  $(CROSS_$*) go test -exec '$(QEMU_$*)' -timeout 400s -json -run '$(CROSS_ROOMS)' ./capture/aec; } | go run ./internal/cmd/skips

prompts: ## what the door says to visitors, as sound files in build/prompts (espeak-ng)
	@scripts/setup.sh prompts
	@go run ./internal/cmd/prompts -out build/prompts

# Below DESTDIR, if it is set: then no root is needed. The configuration and the secrets are not its business.
PROMPTS = build/prompts
PROGRAM = build/intercom-$(shell go env GOARCH)
install: ## the program, its units and, after make prompts, what it says; PROGRAM=build/intercom-arm64 DESTDIR=FOLDER
	@[ -x "$(PROGRAM)" ] || { echo "install: there is no $(PROGRAM): make build makes it; PROGRAM=FILE names another" >&2; exit 1; }
	install -D -m 755 "$(PROGRAM)" "$(DESTDIR)/usr/bin/intercom"
	install -D -m 644 -t "$(DESTDIR)/usr/lib/systemd/system" systemd/intercom.service systemd/intercom-guard@.service
	install -D -m 644 systemd/intercom.sysusers "$(DESTDIR)/usr/lib/sysusers.d/intercom.conf"
	install -D -m 644 systemd/intercom.tmpfiles "$(DESTDIR)/usr/lib/tmpfiles.d/intercom.conf"
	install -D -m 644 -t "$(DESTDIR)/usr/lib/systemd/system.conf.d" systemd/intercom-watchdog.conf
	install -D -m 644 -t "$(DESTDIR)/usr/lib/udev/rules.d" systemd/60-intercom.rules
	@cd "$(PROMPTS)" 2>/dev/null || { echo "install: without the spoken prompts: make prompts makes them" >&2; exit 0; } && \
	  find . -name '*.wav' -exec install -D -m 644 {} "$(abspath $(DESTDIR)/usr/share/intercom/prompts)/{}" \;

soak: ## 300 calls over this machine's own sockets, and what they leave behind
	@go test -tags soak -count=1 -timeout 300s -v -run '^TestSoak$$' ./callcore

image-check: ## the external tree of buildroot/ against BUILDROOT=/path/to/buildroot, without building (2 minutes)
	@buildroot/check.sh "$(BUILDROOT)"

FUZZTIME := 20s
fuzz: ## every fuzz target for FUZZTIME (20s) each
	@go list ./... | while read -r p; do \
	  for f in $$(go test -list '^Fuzz' "$$p" 2>/dev/null | grep '^Fuzz'); do \
	    echo "$$p $$f"; go test -run '^$$' -fuzz "^$$f\$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 20x -parallel 1 "$$p" || exit 1; done; done

clean: ## remove what was built
	rm -rf build lab/out

.PHONY: help prompts install demo test e2e faults soak lab lab-short lab-units lab-shell bench lint build build-amd64 build-arm64 build-armv7 cross-test cross-test-arm64 cross-test-armv7 image-check fuzz clean
