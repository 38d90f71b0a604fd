package main

import (
	"cmp"
	"fmt"
	"io"
	"runtime"
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

// print writes the result. A lost line of it is of no consequence.
func (b *bench) print(out io.Writer, p program) {
	say := func(format string, args ...any) { _, _ = fmt.Fprintf(out, format+"\n", args...) }
	say("\nRelease %s, all profiles, one queue, images present, %s.", version, time.Now().UTC().Format(time.DateOnly))
	say("%d processors, Docker Engine %s, %s, load %s before, %d rounds interleaved.\n",
		runtime.NumCPU(), b.engine, runtime.GOOS+"/"+runtime.GOARCH, b.load, b.rounds)
	say("%-30s %9s   %s", "Empty to all healthy, seconds", "median", "min – max")
	for _, m := range b.methods {
		say("%-30s %9.2f   %.2f – %.2f", m.title, seconds(median(m.times())), seconds(slices.Min(m.times())), seconds(slices.Max(m.times())))
	}
	for _, m := range b.methods {
		for _, note := range m.notes() {
			say("   %s %s", m.key, note)
		}
	}
	say("\n%-30s %9s   %-15s %s", "Ratio", "median", "min – max", "goal")
	b.ratio(say, "A / B", "floor", overFloor)
	b.ratio(say, "A / C", "compose", underSample)
	b.small(say, p)
	b.profile(say)
}

// ratio compares init with another method: the ratio of the medians, and the range of the ratios in one round.
func (b *bench) ratio(say func(string, ...any), title, other string, goal float64) {
	a, c := b.method("init"), b.method(other)
	if a == nil || c == nil {
		return
	}
	var each []float64
	for i, took := range a.times() {
		each = append(each, took.Seconds()/c.times()[i].Seconds())
	}
	of := median(a.times()).Seconds() / median(c.times()).Seconds()
	say("%-30s %9.3f   %.3f – %.3f   ≤ %.3f  %s", title, of, slices.Min(each), slices.Max(each), goal, verdict(of <= goal))
}

func (b *bench) small(say func(string, ...any), p program) {
	say("\n%-30s %9s", "Small", "")
	say("%-30s %6.1f MB   ≤ %.0f MB  %s", "binary", float64(p.size)/megabyte, maxSize/megabyte, verdict(float64(p.size) <= maxSize))
	help := median(p.help)
	say("%-30s %6d ms   ≤ %d ms  %s   (%d – %d ms)", "--help, median of 20", help.Milliseconds(), maxHelp.Milliseconds(), verdict(help <= maxHelp),
		slices.Min(p.help).Milliseconds(), slices.Max(p.help).Milliseconds())
	if m := b.method("init"); m != nil {
		var peak int64
		for _, r := range m.rounds {
			peak = max(peak, r.peak)
		}
		say("%-30s %6.1f MB   ≤ %.0f MB  %s   (the bench itself %.1f MB)", "peak memory of init", float64(peak)/megabyte, maxMemory/megabyte,
			verdict(float64(peak) <= maxMemory), float64(p.own)/megabyte)
	}
}

// profile says where the time goes: when each thing had happened, in seconds since the begin, and how long each step of
// init took. Medians.
func (b *bench) profile(say func(string, ...any)) {
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
	m := b.method("init")
	if m == nil {
		return
	}
	say("\n%-40s %s", "Steps of init, seconds", "median")
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

func (m *method) times() []time.Duration {
	var list []time.Duration
	for _, r := range m.rounds {
		list = append(list, r.took)
	}
	return list
}

// markTimes are the times of one mark; the end of the start has one in every round.
func (m *method) markTimes(name string) []time.Duration {
	if name == markAll {
		return m.times()
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
