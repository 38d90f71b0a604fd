# Everything that a contributor runs. The two commands of the README are "make demo" and "make test".

VERSION   ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo devel)
TOOLS     := $(CURDIR)/.cache/tools
LINT      := $(TOOLS)/golangci-lint
COMPOSE   := $(TOOLS)/docker-compose
VULN      := $(TOOLS)/govulncheck
BINARY    := bin/syncmaster-setup
LDFLAGS   := -s -w -X syncmaster-setup/internal/cli.version=$(VERSION)
# what the program never uses: generators of documents in urfave/cli, traces of gRPC (0.6 MB)
TAGS      := urfave_cli_no_docs,grpcnotrace
# Docker's packages, which wait for the engine most of the time, and what they carry are made small instead of fast
SMALL     := $(foreach p,github.com/moby/buildkit github.com/docker github.com/containerd go.opentelemetry.io google.golang.org,-gcflags=$(p)/...=-l)
GO_BUILD  := CGO_ENABLED=0 go build -trimpath $(SMALL) -tags $(TAGS) -ldflags "$(LDFLAGS)"
ROUNDS    ?= 3
PLATFORMS := linux/amd64 linux/arm64 darwin/amd64 darwin/arm64 windows/amd64

LINT_VERSION := v2.11.4
VULN_VERSION := v1.7.0

.PHONY: help
help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 14

.PHONY: check-migrations
check-migrations: # a migration that could end its own transaction is not built
	@go run ./test/checkmigrations

.PHONY: build
build: check-migrations ## the binary, bin/syncmaster-setup
	$(GO_BUILD) -o $(BINARY) ./cmd/syncmaster-setup

.PHONY: cross
cross: check-migrations ## the binary for every platform, in dist/
	@for p in $(PLATFORMS); do \
		echo "building for $$p"; \
		GOOS=$${p%/*} GOARCH=$${p#*/} $(GO_BUILD) -o dist/syncmaster-setup-$${p%/*}-$${p#*/} ./cmd/syncmaster-setup || exit 1; \
	done

.PHONY: demo
demo: build ## a healthy stack on this machine, with its addresses
	go run ./test/kit/cmd/demo up

.PHONY: demo-down
demo-down: ## removes what "make demo" made
	go run ./test/kit/cmd/demo down

.PHONY: kit
kit: engine ## the images that tests and demo run on
	go run ./test/kit/cmd/kit build

.PHONY: engine
engine: ## makes sure that a Docker Engine runs
	go run ./test/kit/cmd/demo engine

.PHONY: test
test: build kit $(COMPOSE) ## every test; RACE=1 adds the race detector
	RACE=$(RACE) SYNCMASTER_E2E_ALL=$(SYNCMASTER_E2E_ALL) SYNCMASTER_TEST_KILLS=$(SYNCMASTER_TEST_KILLS) test/run

.PHONY: test-majors
test-majors: engine ## the tests of the migrations on PostgreSQL 13, 15 and 18; MAJORS="13 15" chooses, RACE=1 as of test
	RACE=$(RACE) MAJORS="$(MAJORS)" test/majors

.PHONY: test-crash
test-crash: build kit $(COMPOSE) ## kills init and every move before, in and after each of its steps; fails after 40 minutes
	SYNCMASTER_E2E_MATRIX=1 go test ./test/e2e -count=1 -run 'Kill|UpgradeDrains|UpgradeWithoutNetwork' -timeout 40m -parallel 4 -v

.PHONY: unit
unit: ## the tests that need no Docker Engine
	go test -skip "TestMigrateScripts|TestShells|TestManPage" ./internal/backup/... ./internal/cli/... ./internal/config/... ./internal/envfile/... ./internal/fault/... ./internal/journal/... \
		./internal/nearest/... ./internal/plan/... ./internal/release/... ./internal/render/... ./internal/report/... ./internal/secret/... \
		./internal/setup/... ./internal/sqlfile/... ./internal/stack/... ./internal/workdir/... ./migrations/... ./test/checkmigrations/... ./test/docs/...

.PHONY: lint
lint: $(LINT) ## formatting, vet, the linters and the layers
	@test -z "$$(gofmt -l cmd compose internal migrations templates test)" || { gofmt -l cmd compose internal migrations templates test; exit 1; }
	go vet ./...
	$(LINT) run ./...

.PHONY: docs
docs: ## writes docs/commands.md, docs/settings.md, docs/output.schema.json and the man page, which the tests compare with the program
	UPDATE=1 go test -count=1 -run TestDocs ./internal/cli ./test/docs

.PHONY: vuln
vuln: $(VULN) ## known vulnerabilities; needs the Go vulnerability database
	$(VULN) ./...

.PHONY: bench
bench: build kit $(COMPOSE) ## measures against the floor and against docker compose; see docs/performance.md
	go run ./test/bench

.PHONY: bench-day
bench-day: build kit $(COMPOSE) ## measures dev up and status; ROUNDS=3
	go run ./test/bench day -rounds $(ROUNDS)

.PHONY: bench-upgrade
bench-upgrade: build kit $(COMPOSE) ## measures an upgrade; ROUNDS=3
	go run ./test/bench upgrade -rounds $(ROUNDS)

.PHONY: bench-backup
bench-backup: build kit ## measures backup and restore of more than 2 GB; ROUNDS=3
	go run ./test/bench backup -rounds $(ROUNDS)

.PHONY: bench-data
bench-data: build kit ## measures the migrations; N=100000 transfers, M=20000 connections, ROUNDS=3
	go run ./test/bench migrate -rounds $(ROUNDS) -transfers $(or $(N),100000) -connections $(or $(M),20000)

.PHONY: clean
clean: ## removes everything that was built, images included
	go run ./test/kit/cmd/kit clean
	rm -rf bin dist .cache

$(LINT):
	GOBIN=$(TOOLS) go install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(LINT_VERSION)

$(VULN):
	GOBIN=$(TOOLS) go install golang.org/x/vuln/cmd/govulncheck@$(VULN_VERSION)

$(COMPOSE): test/composecli/go.mod
	cd test/composecli && CGO_ENABLED=0 go build -trimpath -ldflags "-s -w -X github.com/docker/compose/v5/internal.Version=v5.6.0" -o $@ github.com/docker/compose/v5/cmd
