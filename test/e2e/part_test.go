package e2e_test

import (
	"context"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// matrix is set where every kill point is wanted: make test-crash. Otherwise each step is hit at one of its points.
var matrix = os.Getenv("SYNCMASTER_E2E_MATRIX") != ""

// part is the number of what is taken then.
var part uint64

// point is an instant of an operation and the way out of it.
type point struct {
	killPoint
	way string // the command that takes over
}

// points returns the kill points of an operation of so many steps: all of them, or one of each step.
func points(operation string, steps int, ways ...string) []point {
	var list []point
	for step := 1; step <= steps; step++ {
		var of []point
		for _, when := range []string{"before", "in", "after"} {
			for _, way := range ways {
				of = append(of, point{killPoint{when, step}, way})
			}
		}
		list = append(list, chosen(fmt.Sprint(operation, step), of)...)
	}
	return list
}

// chosen returns all of what there is to choose from, or the one that this run takes.
func chosen[T any](name string, of []T) []T {
	if matrix {
		return of
	}
	return of[choice(part, name, len(of)):][:1]
}

// numberOfPart grows with every commit and with every hour: a landing has another number than the one before it. Where
// there is no whole history to count, it is that of the second.
func numberOfPart(ctx context.Context) (uint64, error) {
	if text := os.Getenv("SYNCMASTER_E2E_PART"); text != "" {
		n, err := strconv.ParseUint(text, 10, 64)
		if err != nil {
			return 0, fmt.Errorf("SYNCMASTER_E2E_PART: %w", err)
		}
		return n, nil
	}
	now := uint64(time.Now().Unix())
	git := func(words ...string) string {
		out, err := exec.CommandContext(ctx, "git", append([]string{"-C", root}, words...)...).Output()
		if err != nil {
			return "" // no git, or no clone
		}
		return strings.TrimSpace(string(out))
	}
	commits, err := strconv.ParseUint(git("rev-list", "--count", "HEAD"), 10, 64)
	if err != nil || git("rev-parse", "--is-shallow-repository") != "false" {
		return now, nil //nolint:nilerr // see above
	}
	return commits + now/3600, nil
}

// choice returns which of so many choices the part of a number takes. Numbers in a row take one after the other, and
// begin elsewhere with each round: two numbers of a round have nothing in common.
func choice(number uint64, name string, of int) int {
	round := number / uint64(of)
	seed := fnv.New64a()
	_, _ = seed.Write([]byte(name)) // it never fails
	begin := rand.New(rand.NewPCG(seed.Sum64(), round)).IntN(of)
	return (begin + int(number%uint64(of))) % of
}

// TestParts: neighbours never take the same part, those of one round have nothing in common, and a round takes all.
func TestParts(t *testing.T) {
	const steps, of, apart = 30, 6, 100
	partOf := func(number uint64) []int {
		var list []int
		for step := range steps {
			list = append(list, choice(number, fmt.Sprint("upgrade", step), of))
		}
		return list
	}
	const first = 490_000 - 490_000%of
	var parts [][]int
	for n := range uint64(2_000) {
		parts = append(parts, partOf(first+n))
	}
	for n, p := range parts {
		for before := max(0, n-apart); before < n; before++ {
			if slices.Equal(p, parts[before]) {
				t.Errorf("the parts %d and %d are the same", before, n)
			}
		}
	}
	for n := 0; n+of <= len(parts); n += of {
		for step := range steps {
			taken := map[int]bool{}
			for _, p := range parts[n:][:of] {
				taken[p[step]] = true
			}
			if len(taken) != of {
				t.Errorf("the round from %d takes %d points of step %d, want %d", n, len(taken), step, of)
			}
		}
	}
}
