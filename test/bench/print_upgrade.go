package main

import (
	"fmt"
	"io"
	"runtime"
	"slices"
	"time"
)

// The goals of an upgrade.
const (
	outageOverBare        = 1.25
	outageUnderDocumented = 1.0 / 8
	wholeUnderDocumented  = 1.0 / 4
)

// printer writes a line of a result. A lost line of it is of no consequence.
type printer func(format string, args ...any)

func printTo(out io.Writer) printer {
	return func(format string, args ...any) { _, _ = fmt.Fprintf(out, format+"\n", args...) }
}

// machine says on what was measured.
func (b *bench) machine(say printer) {
	say("%d processors, Docker Engine %s, %s, load %s before, %d rounds, %s.\n",
		runtime.NumCPU(), b.engine, runtime.GOOS+"/"+runtime.GOARCH, b.load, b.rounds, time.Now().UTC().Format(time.DateOnly))
}

func took(m measured) time.Duration   { return m.took }
func outage(m measured) time.Duration { return m.outage }

func (b *bench) printUpgrades(out io.Writer) {
	say := printTo(out)
	say("\nUpgrade from %s to %s, all profiles, images present; %d transfers, %d connections, %d runs.",
		versionBefore, version, b.amount.transfers, b.amount.connections, b.amount.runs)
	b.machine(say)
	say("%-36s %9s   %-15s %9s   %s", "Seconds", "outage", "min – max", "whole", "min – max")
	for _, m := range b.methods {
		a, w := m.of(outage), m.of(took)
		say("%-36s %9.2f   %-15s %9.2f   %s", m.title, seconds(median(a)), span(a), seconds(median(w)), span(w))
	}
	for _, m := range b.methods {
		for _, note := range m.notes() {
			say("   %s %s", m.key, note)
		}
	}
	if ours := b.method("upgrade"); ours != nil {
		say("%-36s %9.2f", "   A tells of its own outage", seconds(median(ours.of(func(m measured) time.Duration { return m.told }))))
	}
	say("\n%-36s %9s   %-15s %s", "Ratio", "median", "min – max", "goal")
	b.compare(say, "outage A / C", outage, "upgrade", "bare", outageOverBare)
	b.compare(say, "outage A / B", outage, "upgrade", "documented", outageUnderDocumented)
	b.compare(say, "whole A / B", took, "upgrade", "documented", wholeUnderDocumented)
	b.steps(say, "upgrade")
	if m := b.method("documented"); m != nil {
		say("\n%-56s %s", "B has returned after, seconds", "median")
		for _, k := range m.rounds[0].marks {
			say("%-56s %6.2f", k.name, seconds(median(m.markTimes(k.name))))
		}
	}
}

// compare prints the ratio of the medians of two methods, and the range of the ratios in one round.
func (b *bench) compare(say printer, title string, what func(measured) time.Duration, one, other string, goal float64) {
	if b.method(one) == nil || b.method(other) == nil {
		return
	}
	a, c := b.method(one).of(what), b.method(other).of(what)
	var each []float64
	for i := range a {
		each = append(each, a[i].Seconds()/c[i].Seconds())
	}
	ratio := median(a).Seconds() / median(c).Seconds()
	say("%-36s %9.3f   %-15s ≤ %.3f  %s", title, ratio, fmt.Sprintf("%.3f – %.3f", slices.Min(each), slices.Max(each)), goal, verdict(ratio <= goal))
}

// of returns one of the values of each round.
func (m *method) of(what func(measured) time.Duration) []time.Duration {
	var list []time.Duration
	for _, r := range m.rounds {
		list = append(list, what(r))
	}
	return list
}

func span(list []time.Duration) string {
	return fmt.Sprintf("%.2f – %.2f", seconds(slices.Min(list)), seconds(slices.Max(list)))
}

// steps says how long each step of syncmaster-setup took. Medians.
func (b *bench) steps(say printer, key string) {
	m := b.method(key)
	if m == nil {
		return
	}
	say("\n%-40s %s", "Steps of "+key+", seconds", "median")
	for i, step := range m.rounds[0].steps {
		var each []time.Duration
		for _, r := range m.rounds {
			if i < len(r.steps) {
				each = append(each, r.steps[i].at)
			}
		}
		say("%-40s %6.2f", step.name, seconds(median(each)))
	}
}
