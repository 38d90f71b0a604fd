package main

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

// The goals.
const (
	overFloor   = 1.25
	underSample = 1.0 / 6
	maxSize     = 35e6 // bytes
	maxHelp     = 60 * time.Millisecond
	maxMemory   = 120e6 // bytes
)

// Names of what is marked by more than one method.
const (
	markDatabaseSays = "database says it serves"
	markBrokerSays   = "broker says it serves"
	markDatabase     = "database answers"
	markBroker       = "broker answers"
	markSchema       = "schema is there"
	markAll          = "all healthy"
)

const megabyte = 1e6

// print writes the result.
func (b *bench) print(out io.Writer, p program) {
	say := printTo(out)
	say("\nRelease %s, all profiles, one queue, images present.", version)
	b.machine(say)
	say("%-30s %9s   %s", "Empty to all healthy, seconds", "median", "min – max")
	for _, m := range b.methods {
		say("%-30s %9.2f   %.2f – %.2f", m.title, seconds(median(m.of(took))), seconds(slices.Min(m.of(took))), seconds(slices.Max(m.of(took))))
	}
	for _, m := range b.methods {
		for _, note := range m.notes() {
			say("   %s %s", m.key, note)
		}
	}
	say("\n%-30s %9s   %-15s %s", "Ratio", "median", "min – max", "goal")
	b.compare(say, "A / B", took, "init", "floor", overFloor)
	b.compare(say, "A / C", took, "init", "compose", underSample)
	b.small(say, p)
	b.profile(say)
}

func (b *bench) small(say printer, p program) {
	say("\n%-30s %9s", "Small", "")
	say("%-30s %6.1f MB   ≤ %.0f MB  %s", "binary", float64(p.size)/megabyte, maxSize/megabyte, verdict(float64(p.size) <= maxSize))
	help := median(p.help)
	say("%-30s %6d ms   ≤ %d ms  %s   (%d – %d ms)", "--help, median of 20", help.Milliseconds(), maxHelp.Milliseconds(), verdict(help <= maxHelp),
		slices.Min(p.help).Milliseconds(), slices.Max(p.help).Milliseconds())
	if m := b.method("init"); m != nil {
		peak := m.peak()
		say("%-30s %6.1f MB   ≤ %.0f MB  %s   (the bench itself %.1f MB)", "peak memory of init", float64(peak)/megabyte, maxMemory/megabyte,
			verdict(float64(peak) <= maxMemory), float64(p.own)/megabyte)
	}
}

// profile says where the time goes: when each thing had happened, in seconds since the begin, and how long each step of
// init took. Medians.
func (b *bench) profile(say printer) {
	say("\n%-30s", "Happened after, seconds")
	names := b.markNames()
	header := fmt.Sprintf("%-30s", "")
	for _, m := range b.methods {
		header += fmt.Sprintf(" %9s", m.key)
	}
	say("%s", header)
	for _, name := range names {
		line := fmt.Sprintf("%-30s", name)
		for _, m := range b.methods {
			line += cell(m.markTimes(name))
		}
		say("%s", line)
	}
	b.steps(say, "init")
}

// markNames of all methods, in the order in which they happen with the first method that knows them.
func (b *bench) markNames() []string {
	at := map[string]time.Duration{}
	for _, m := range b.methods {
		for _, r := range m.rounds {
			for _, k := range r.marks {
				if _, known := at[k.name]; !known {
					at[k.name] = median(m.markTimes(k.name))
				}
			}
		}
	}
	names := make([]string, 0, len(at)+1)
	for name := range at {
		names = append(names, name)
	}
	slices.SortFunc(names, func(a, b string) int { return cmp.Or(cmp.Compare(at[a], at[b]), strings.Compare(a, b)) })
	return append(names, markAll)
}

func (b *bench) method(key string) *method {
	for _, m := range b.methods {
		if m.key == key {
			return m
		}
	}
	return nil
}

// markTimes are the times of one mark; the end of the start has one in every round.
func (m *method) markTimes(name string) []time.Duration {
	if name == markAll {
		return m.of(took)
	}
	var list []time.Duration
	for _, r := range m.rounds {
		for _, k := range r.marks {
			if k.name == name {
				list = append(list, k.at)
			}
		}
	}
	return list
}

// notes are the different ones of all rounds.
func (m *method) notes() []string {
	var list []string
	for _, r := range m.rounds {
		if r.note != "" && !slices.Contains(list, r.note) {
			list = append(list, r.note)
		}
	}
	return list
}

func cell(times []time.Duration) string {
	if len(times) == 0 {
		return fmt.Sprintf(" %9s", "")
	}
	return fmt.Sprintf(" %9.2f", seconds(median(times)))
}

// median of at least one.
func median(list []time.Duration) time.Duration {
	sorted := slices.Sorted(slices.Values(list))
	n := len(sorted)
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}

func seconds(d time.Duration) float64 { return d.Seconds() }

func verdict(met bool) string {
	if met {
		return "goal met"
	}
	return "goal missed"
}
