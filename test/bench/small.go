package main

import (
	"context"
	"fmt"
	"os"
	"syscall"
	"time"
)

// helpRuns is how often --help is timed.
const helpRuns = 20

// program is how large and how quick the binary is.
type program struct {
	size int64 // bytes
	help []time.Duration
	own  int64 // peak memory of the bench itself: the kernel lets a child inherit it, so init's own cannot show below
}

func (b *bench) measureProgram(ctx context.Context) (program, error) {
	info, err := os.Stat(b.binary)
	if err != nil {
		return program{}, fmt.Errorf("measuring the binary: %w", err)
	}
	p := program{size: info.Size()}
	for range helpRuns {
		began := time.Now()
		if out, err := command(ctx, b.binary, "--help").CombinedOutput(); err != nil {
			return program{}, fmt.Errorf("running --help: %w: %s", err, out)
		}
		p.help = append(p.help, time.Since(began))
	}
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		return program{}, fmt.Errorf("reading the memory of the bench: %w", err)
	}
	p.own = usage.Maxrss * 1024
	return p, nil
}
