# Everything that a contributor runs. The two commands of the README are "make demo" and "make test".

VERSION   ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo devel)
TOOLS     := $(CURDIR)/.cache/tools
LINT      := $(TOOLS)/golangci-lint
COMPOSE   := $(TOOLS)/docker-compose
VULN      := $(TOOLS)/govulncheck
BINARY    := bin/syncmaster-setup
LDFLAGS   := -s -w -X syncmaster-setup/internal/cli.version=$(VERSION)
GO_BUILD  := CGO_ENABLED=0 go build -trimpath -ldflags "$(LDFLAGS)"
PLATFORMS := linux/amd64 linux/arm64 darwin/amd64 darwin/arm64 windows/amd64

LINT_VERSION := v2.11.4
VULN_VERSION := v1.7.0

.PHONY: help
help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 14

.PHONY: build
build: ## the binary, bin/syncmaster-setup
	$(GO_BUILD) -o $(BINARY) ./cmd/syncmaster-setup

.PHONY: cross
cross: ## the binary for every platform, in dist/
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

.PHONY: unit
unit: ## the tests that need no Docker Engine
	go test -skip TestMigrateScripts ./internal/cli/... ./internal/config/... ./internal/envfile/... ./internal/fault/... ./internal/journal/... \
		./internal/plan/... ./internal/release/... ./internal/render/... ./internal/report/... ./internal/secret/... \
		./internal/stack/... ./internal/workdir/... ./migrations/...

.PHONY: lint
lint: $(LINT) ## formatting, vet, the linters and the layers
	@test -z "$$(gofmt -l cmd compose internal migrations templates test)" || { gofmt -l cmd compose internal migrations templates test; exit 1; }
	go vet ./...
	$(LINT) run ./...

.PHONY: vuln
vuln: $(VULN) ## known vulnerabilities; needs the Go vulnerability database
	$(VULN) ./...

.PHONY: bench
bench: build kit $(COMPOSE) ## measures against the floor and against docker compose; see docs/performance.md
	go run ./test/bench

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
