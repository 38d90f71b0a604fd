package setup

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"syncmaster-setup/internal/fault"
	"syncmaster-setup/internal/release"
	"syncmaster-setup/internal/stack"
)

const (
	// roomToWork is below what an upgrade with its images and a backup soon fills.
	roomToWork = 5 * gibibyte
	// clockTolerance is what logs and schedules bear.
	clockTolerance = 30 * time.Second
	// muchLog is more than anybody reads, in a file without a limit.
	muchLog = int64(gibibyte)
)

// noEngine is the word of a check that needs an engine.
func (v *sight) noEngine() (Level, string, string) { return Missing, "there is no engine to ask", "" }

func checkEngine(v *sight) (Level, string, string) {
	if v.engine == nil {
		return Fail, v.words(v.engineErr), fault.HintOf(v.engineErr)
	}
	h := v.host
	return Pass, fmt.Sprintf("Docker Engine %s on %s/%s, %s, %s of memory", h.Version, h.OS, h.Arch, count(h.CPUs, "CPU"), size(uint64(h.Memory))), "" //nolint:gosec // the engine reports no negative size
}

func checkRemote(v *sight) (Level, string, string) {
	switch {
	case v.engine == nil:
		return v.noEngine()
	case !v.host.Local:
		return Warn, "the engine is on another machine: services, database and broker cannot be asked from here", "run doctor on that machine"
	}
	return Pass, "", ""
}

func checkPorts(v *sight) (Level, string, string) {
	switch {
	case v.engine == nil:
		return v.noEngine()
	case len(v.held) > 0:
		return Fail, strings.Join(v.held, "\n"), "end what holds it, or choose another one: " + v.inFolder("syncmaster-setup init --server-port N    (or --ui-port, --db-port, --broker-port)")
	}
	return Pass, "", ""
}

func checkDisk(v *sight) (Level, string, string) {
	level, next := Pass, ""
	var lines []string
	told := map[string]bool{} // one disk holds all, as a rule: what the first path has free is not told again
	for _, d := range []struct{ kind, path string }{{"images", v.host.RootDir}, {"folder", v.dir}} {
		free, known := v.disk[d.kind]
		if !known {
			continue
		}
		told[size(free)] = true
		line := fmt.Sprintf("%s has %s free", d.path, size(free))
		switch {
		case free < spaceForData:
			level, next = Fail, "free some space: docker image prune; a database that meets a full disk stops"
			line += fmt.Sprintf(", at least %s are needed", size(spaceForData))
		case free < roomToWork && level == Pass:
			level, next = Warn, "free some space: docker image prune"
			line += fmt.Sprintf("; an upgrade wants about %s", size(roomToWork))
		}
		lines = append(lines, line)
	}
	other := func(path string, free, need uint64, lack, why string) {
		if told[size(free)] {
			return
		}
		told[size(free)] = true
		line := fmt.Sprintf("%s has %s free", path, size(free))
		if free < need {
			level, next = Fail, "make space on the disk of "+path+": "+why
			line += lack
		}
		lines = append(lines, line)
	}
	for _, d := range v.dataDisks {
		other(d.path, d.free, spaceForData, fmt.Sprintf(", at least %s are needed for the data of %s", size(spaceForData), d.service),
			"a database or broker that meets a full disk stops")
	}
	if free, known := v.disk["backups"]; known {
		other(v.setup.Dir.File(backups), free, spaceForFiles, fmt.Sprintf(", a backup needs at least %s", size(spaceForFiles)),
			"no backup can be made, and no upgrade without one")
	}
	if len(lines) == 0 {
		return Missing, "the free space cannot be told from here", ""
	}
	return level, strings.Join(lines, "\n"), next
}

func checkMemory(v *sight) (Level, string, string) {
	memory := uint64(v.host.Memory) //nolint:gosec // the engine reports no negative size
	switch {
	case v.engine == nil:
		return v.noEngine()
	case memory < leastMemory:
		return Fail, fmt.Sprintf("the engine has %s, SyncMaster needs at least %s", size(memory), size(leastMemory)), "give the machine more memory"
	case memory < memoryForTransfers && slices.Contains(v.options.Services(), "worker"):
		return Warn, fmt.Sprintf("the engine has %s; transfers run well from %s", size(memory), size(memoryForTransfers)), "give the machine more memory"
	}
	return Pass, size(memory), ""
}

func checkClock(v *sight) (Level, string, string) {
	switch skew := v.skew(); {
	case v.engine == nil || v.host.Clock.IsZero():
		return Missing, "the engine does not tell its time", ""
	case skew.Abs() > clockTolerance:
		return Warn, fmt.Sprintf("the engine's clock differs from this one by %s: schedules, tokens and backups go by the wrong one", skew.Abs().Round(time.Second)),
			"set both by NTP, for example: timedatectl set-ntp true"
	}
	return Pass, "", ""
}

// inside are the hosts that containers ask on the network of the project, and themselves.
func (w world) inside() []string {
	return append(append([]string{"localhost"}, w.options.Infrastructure()...), "server")
}

// byProxy says which of them are asked through a proxy.
func (w world) byProxy(names []string, noProxy string) []string {
	if len(names) == 0 {
		return nil
	}
	return stack.Proxied(noProxy, w.inside())
}

// checkProxy looks at what the docker client puts into new containers, at what the files add, and at the containers that
// were made before either was mended.
func checkProxy(v *sight) (Level, string, string) {
	if v.engine == nil {
		return v.noEngine()
	}
	const exceptions = "localhost,127.0.0.1,db,rabbitmq,server"
	recreate := v.inFolder("docker compose up -d --force-recreate")
	if asked := v.byProxy(v.host.ProxyVariables, v.host.NoProxy); len(asked) > 0 {
		return Warn, fmt.Sprintf("the docker client puts %s into every container: health checks and Spark ask the proxy for %s", strings.Join(v.host.ProxyVariables, ", "), strings.Join(asked, ", ")),
			"add " + exceptions + " to noProxy in the client's config.json, then: " + recreate
	}
	for _, service := range v.options.Services() {
		names, noProxy := stack.Proxies(v.environment(release.Component(service)))
		if asked := v.byProxy(names, noProxy); len(asked) > 0 {
			return Warn, fmt.Sprintf("%s gets %s from the files: it asks the proxy for %s", service, strings.Join(names, ", "), strings.Join(asked, ", ")),
				"write NO_PROXY=" + exceptions + " beside it into " + v.fileOf(names[0], v.environment(release.Component(service))) + ", then: " + v.inFolder("syncmaster-setup init")
		}
	}
	for _, c := range v.observed.Containers {
		if asked := v.byProxy(c.Proxies, c.NoProxy); len(asked) > 0 && slices.Contains(v.options.Services(), c.Service) {
			return Warn, fmt.Sprintf("the container of %s was made with %s: it asks the proxy for %s", c.Service, strings.Join(c.Proxies, ", "), strings.Join(asked, ", ")), recreate
		}
	}
	return Pass, "", ""
}

// checkLogs looks for files that grow without end. Docker's default has no limit, which alone is no fault yet.
func checkLogs(v *sight) (Level, string, string) {
	if v.engine == nil {
		return v.noEngine()
	}
	var large, unbounded, unknown []string
	for _, c := range v.observed.Containers {
		if c.Logs.Driver != "json-file" || c.Logs.MaxSize != "" {
			continue
		}
		switch bytes, known := v.logBytes[c.Service]; {
		case bytes > muchLog:
			large = append(large, fmt.Sprintf("%s has written %s", c.Service, size(uint64(bytes))))
		case known || c.Logs.Path == "": // nothing was written yet
			unbounded = append(unbounded, c.Service)
		default:
			unknown = append(unknown, c.Service)
		}
	}
	const next = `set a limit in /etc/docker/daemon.json: {"log-opts": {"max-size": "50m", "max-file": "3"}} and restart the engine, ` +
		`or for one service in docker-compose.override.yml: logging: {options: {max-size: 50m}}; then: `
	switch {
	case len(large) > 0:
		return Warn, strings.Join(large, ", ") + ", and nothing limits its log", next + v.inFolder("docker compose up -d --force-recreate")
	case len(unknown) > 0:
		return Missing, "nothing limits the logs of " + strings.Join(unknown, ", ") + ", and how large they are only root can see on the engine's machine", ""
	case len(unbounded) > 0:
		return Pass, "without a limit so far, and small: " + strings.Join(unbounded, ", "), ""
	}
	return Pass, "", ""
}
