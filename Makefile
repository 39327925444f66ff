# The commands of the project; `make help` lists them.
GO      ?= go
TIMEOUT ?= 20m
export CGO_ENABLED ?= 0

.PHONY: all help build demo test race chaos fuzz bench bench-compare golden examples lint vuln clean
.DEFAULT_GOAL := all

all: lint test ## lint and test

help: ## list the commands
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

build: ## build bin/mars
	$(GO) build -trimpath -o bin/mars ./cmd/mars

demo: build ## the main job from end to end, on a generated world: data, tasks, teacher, replay, export, results
	./bin/mars demo --out demo --force

test: build ## all tests; those of the trainer where its Python environment is there
	$(GO) vet ./...
	$(GO) test -timeout $(TIMEOUT) ./...
	@star/trainer/test.sh

race: ## all tests under the race detector (needs a C compiler)
	CGO_ENABLED=1 $(GO) test -race -timeout 60m ./...

SEED ?= 1
ROUNDS ?= 50
KILLS ?= 12
SCHEDULES ?= 500
chaos: ## kill, damage and mislead the program for a long time: make chaos SEED=1 ROUNDS=50 KILLS=12 SCHEDULES=500; what fails names its seed
	$(GO) test ./orchestrator/cluster -run TestLiveSchedules -count 1 -v -timeout 0 -cluster.seed $(SEED) -cluster.schedules $(SCHEDULES) -cluster.lanes 6
	$(GO) test ./cmd/mars -run TestChaos -count 1 -v -timeout 0 -chaos.seed $(SEED) -chaos.rounds $(ROUNDS) -chaos.kills $(KILLS)

FUZZTIME ?= 10m
fuzz: ## every fuzz target in turn, FUZZTIME each
	@set -e; for p in $$($(GO) list ./...); do \
	  for f in $$($(GO) test -list '^Fuzz' $$p | grep '^Fuzz' || true); do \
	    echo "== $$p $$f"; $(GO) test -run '^$$' -fuzz "^$$f$$" -fuzztime $(FUZZTIME) $$p; done; done

bench: ## all benchmarks
	$(GO) test -run '^$$' -bench . -benchmem ./...

bench-compare: ## benchmarks of REF beside those of the working tree: make bench-compare REF=main
	@test -n "$(REF)" || { echo "say which: make bench-compare REF=main"; exit 2; }
	rm -rf bin/ref && git worktree add --force bin/ref $(REF)
	(cd bin/ref && $(GO) test -run '^$$' -bench . -count 6 ./...) > bin/old.txt; $(GO) test -run '^$$' -bench . -count 6 ./... > bin/new.txt; git worktree remove --force bin/ref
	$(GO) run golang.org/x/perf/cmd/benchstat@latest bin/old.txt bin/new.txt

golden: ## write the golden files anew; read the difference as prose
	$(GO) test $$(grep -rl 'Bool("update"' --include='*_test.go' . | xargs -n 1 dirname | sort -u) -update

examples: ## run every example program
	@set -e; for d in $$($(GO) list -f '{{if eq .Name "main"}}{{.Dir}}{{end}}' ./examples/...); do echo "== $${d##*/}"; $(GO) run $$d; done
	$(GO) test -count 1 -v ./examples/replay

lint: ## vet, formatting and the linters of .golangci.yml where golangci-lint is installed
	$(GO) vet ./...
	@test -z "$$(gofmt -l .)" || { echo "gofmt would change:"; gofmt -l .; exit 1; }
	@if command -v golangci-lint >/dev/null; then golangci-lint run; else echo "golangci-lint is not installed: its linters did not run"; fi

vuln: ## known vulnerabilities in what is used
	$(GO) run golang.org/x/vuln/cmd/govulncheck@latest ./...

clean: ## remove what was built and the demo
	rm -rf bin demo
