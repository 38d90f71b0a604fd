package main

import (
	"fmt"
	"io"
	"slices"
	"time"
)

// The goals of migrations.
const (
	underOneByOne = 0.6
	overPsql      = 1.2
	flatMemory    = 1.1 // of ten times the rows
)

func revisions(m measured) time.Duration { return m.revisions }

func (g *ground) print(out io.Writer) {
	say := printTo(out)
	say("\nRevision %s on %d transfers and %d connections; all revisions on an empty database.", rewriting, g.amount.transfers, g.amount.connections)
	g.machine(say)
	say("%-36s %9s   %-17s %9s   %8s   %9s   %9s   %s", "Seconds and MB", "revisions", "min – max", "process", "WAL", "peak disk", "grown by", "memory")
	for _, m := range g.methods {
		r := m.of(revisions)
		memory := ""
		if peak := m.peak(); peak > 0 {
			memory = fmt.Sprintf("%.1f", megabytes(peak))
		}
		say("%-36s %9.2f   %-17s %9.2f   %8.1f   %9.1f   %9.1f   %s", m.title, seconds(median(r)), span(r), seconds(median(m.of(took))),
			megabytes(m.most(func(m measured) int64 { return m.wal })), megabytes(m.most(func(m measured) int64 { return m.disk })),
			megabytes(m.most(func(m measured) int64 { return m.grown })), memory)
	}
	say("\n%-36s %9s   %-15s %s", "Ratio", "median", "min – max", "goal")
	g.compare(say, "0012, revision A / B", revisions, "ours", "alembic", underOneByOne)
	g.compare(say, "empty to head, process D / E", took, "head", "psql", overPsql)
	memory := float64(g.method("ours").peak()) / float64(g.method("thin").peak())
	say("%-36s %9.3f   %-15s ≤ %.3f  %s", "memory of A / on a tenth of the rows", memory, "", flatMemory, verdict(memory <= flatMemory))
}

// most returns the most of something in any round.
func (m *method) most(what func(measured) int64) int64 {
	var list []int64
	for _, r := range m.rounds {
		list = append(list, what(r))
	}
	return slices.Max(list)
}

func megabytes(bytes int64) float64 { return float64(bytes) / megabyte }
