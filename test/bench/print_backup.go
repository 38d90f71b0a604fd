package main

import (
	"fmt"
	"io"
	"slices"
	"time"
)

// ofBare is the goal of backup and restore: their speed, as a part of that of pg_dump and pg_restore alone.
const ofBare = 0.95

func (a *archive) print(out io.Writer) {
	say := printTo(out)
	say("\nBackup and restore of %s; %d transfers, %d connections, %d runs.", a.bytes, a.amount.transfers, a.amount.connections, a.amount.runs)
	a.machine(say)
	say("%-36s %9s   %-17s %s", "Seconds", "median", "min – max", "peak memory")
	for _, m := range a.methods {
		t := m.of(took)
		memory := ""
		if peak := m.peak(); peak > 0 {
			memory = fmt.Sprintf("%.1f MB", megabytes(peak))
		}
		say("%-36s %9.2f   %-17s %s", m.title, seconds(median(t)), span(t), memory)
	}
	say("%-36s %9.2f   %-17s", "   backup verify", seconds(median(a.check)), span(a.check))
	for _, note := range a.method("dump").notes() {
		say("   the dump has %s", note)
	}
	say("\n%-36s %9s   %-17s %s", "Speed", "median", "min – max", "goal")
	a.speed(say, "B / A", "dump", "pg_dump", took)
	a.speed(say, "   B / step of A", "dump", "pg_dump", step("back up"))
	a.speed(say, "D / C", "restore", "pg_restore", took)
	a.speed(say, "   D / step of C", "restore", "pg_restore", step("restore the database"))
	a.steps(say, "dump")
	a.steps(say, "restore")
}

// speed prints how long a bare program took as a part of how long ours took.
func (b *bench) speed(say printer, title, ours, bare string, what func(measured) time.Duration) {
	a, c := b.method(ours).of(what), b.method(bare).of(took)
	var each []float64
	for i := range a {
		each = append(each, c[i].Seconds()/a[i].Seconds())
	}
	ratio := median(c).Seconds() / median(a).Seconds()
	say("%-36s %9.3f   %-17s ≥ %.2f  %s", title, ratio, fmt.Sprintf("%.3f – %.3f", slices.Min(each), slices.Max(each)), ofBare, verdict(ratio >= ofBare))
}

// peak is the most memory that the program took in any round, in bytes.
func (m *method) peak() int64 {
	return m.most(func(r measured) int64 { return r.peak })
}
