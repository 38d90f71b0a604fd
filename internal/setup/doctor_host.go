package setup

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"syncmaster-setup/internal/fault"
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
	for _, d := range []struct{ kind, path string }{{"images", v.host.RootDir}, {"folder", v.dir}} {
		free, known := v.disk[d.kind]
		if !known {
			continue
		}
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

func checkProxy(v *sight) (Level, string, string) {
	switch {
	case v.engine == nil:
		return v.noEngine()
	case len(v.host.ProxyVariables) == 0 || strings.Contains(v.host.NoProxy, "localhost"):
		return Pass, "", ""
	}
	return Warn, fmt.Sprintf("the docker client puts %s into every container: health checks and Spark ask the proxy for the other containers", strings.Join(v.host.ProxyVariables, ", ")),
		"add localhost,127.0.0.1,db,rabbitmq,server to noProxy in the client's config.json, then: " + v.inFolder("docker compose up -d --force-recreate")
}

// checkLogs looks for files that grow without end. Docker's default has no limit, which alone is no fault yet.
func checkLogs(v *sight) (Level, string, string) {
	if v.engine == nil {
		return v.noEngine()
	}
	var large, unbounded []string
	for _, c := range v.observed.Containers {
		if c.Logs.Driver != "json-file" || c.Logs.MaxSize != "" {
			continue
		}
		unbounded = append(unbounded, c.Service)
		if bytes := v.logBytes[c.Service]; bytes > muchLog {
			large = append(large, fmt.Sprintf("%s has written %s", c.Service, size(uint64(bytes))))
		}
	}
	const next = `set a limit in /etc/docker/daemon.json: {"log-opts": {"max-size": "50m", "max-file": "3"}} and restart the engine, ` +
		`or for one service in docker-compose.override.yml: logging: {options: {max-size: 50m}}; then: `
	switch {
	case len(large) > 0:
		return Warn, strings.Join(large, ", ") + ", and nothing limits its log", next + v.inFolder("docker compose up -d --force-recreate")
	case len(unbounded) > 0:
		return Pass, "without a limit so far, and small: " + strings.Join(unbounded, ", "), ""
	}
	return Pass, "", ""
}
