package setup

import (
	"context"
	"time"
)

// Level is what a check comes to.
type Level string

// The levels. A warning is worth a look; unknown is what could not be looked at.
const (
	Pass    Level = "pass"
	Warn    Level = "warn"
	Fail    Level = "fail"
	Missing Level = "unknown"
)

// Finding is what one check has found.
type Finding struct {
	ID    string `json:"id"`
	Group string `json:"group"`
	What  string `json:"what"` // is checked
	Level Level  `json:"level"`
	Text  string `json:"text,omitempty"` // what was found
	Next  string `json:"next,omitempty"` // what to type or do next
}

// Checkup is the result of [Setup.Doctor]. It holds no secrets.
type Checkup struct {
	Well     bool      `json:"well"` // nothing fails; warnings are allowed
	Time     time.Time `json:"time"`
	Version  string    `json:"version"`
	Dir      string    `json:"dir"`
	Work     *Work     `json:"work,omitempty"` // that another process does at this moment
	Failed   int       `json:"failed"`
	Warnings int       `json:"warnings"`
	Findings []Finding `json:"findings"`
}

// check is one thing that doctor looks at. judge decides from the observation alone.
type check struct {
	id, group, what string
	judge           func(v *sight) (level Level, text, next string)
}

// Doctor looks at everything that is known to go wrong. It changes nothing and takes no lock.
func (s *Setup) Doctor(ctx context.Context) (Checkup, error) {
	v, err := s.see(ctx, true)
	if err != nil {
		return Checkup{}, err
	}
	return v.checkup(), nil
}

func (v *sight) checkup() Checkup {
	c := Checkup{Time: v.at.UTC().Truncate(time.Second), Version: v.release.Version, Dir: v.dir, Work: v.work}
	for _, check := range checks() {
		level, text, next := check.judge(v)
		c.Findings = append(c.Findings, Finding{check.id, check.group, check.what, level, v.clean(text), v.clean(v.meanwhile(next))})
		switch level {
		case Fail:
			c.Failed++
		case Warn:
			c.Warnings++
		case Pass, Missing:
		}
	}
	c.Well = c.Failed == 0
	return c
}

// checks lists all of them in the order in which they are told.
func checks() []check {
	const host, folder, secrets, settings, database, broker, services = "host", "folder", "secrets", "settings", "database", "broker", "services"
	return []check{
		{"engine", host, "the Docker Engine answers", checkEngine},
		{"remote", host, "the engine is on this machine", checkRemote},
		{"ports", host, "nobody else holds a port of this install", checkPorts},
		{"disk", host, "there is room on the disks", checkDisk},
		{"memory", host, "there is enough memory", checkMemory},
		{"clock", host, "the engine's clock agrees with this one", checkClock},
		{"proxy", host, "no proxy stands between the containers", checkProxy},
		{"logs", host, "the containers' logs are bounded", checkLogs},

		{"interrupted", folder, "no operation was interrupted", checkInterrupted},
		{"modes", folder, "files with secrets are for their owner only", checkModes},
		{"project", folder, "Compose can read the project", checkComposeProject},
		{"compose-file", folder, "docker-compose.yml is as it was written", checkComposeFile},
		{"environment", folder, "the environment beats nothing in .env", checkEnvironment},

		{"sample-secrets", secrets, "no secret is one of the public samples", checkSamples},
		{"key", secrets, "the encryption key opens what is stored", checkStoredKey},

		{"names", settings, "the release reads each setting as it looks", checkSettings},
		{"percent", settings, "Alembic can read the database URL", checkPercent},
		{"config-file", settings, "a config file is read as it looks", checkConfigFile},
		{"ui", settings, "the UI fits the server", checkUI},
		{"login", settings, "the dummy login is not public", checkLogin},
		{"debug", settings, "debug is not public", checkDebug},
		{"applied", settings, "what runs is what the files ask for", checkApplied},

		{"database", database, "the database answers", checkDatabase},
		{"identity", database, "it is the database of this install", checkDatabaseIdentity},
		{"revision", database, "its schema is the release's", checkRevision},
		{"drift", database, "its schema is untouched", checkDrift},

		{"broker", broker, "the broker answers", checkBroker},
		{"broker-version", broker, "RabbitMQ is one that Celery can work with", checkBrokerVersion},
		{"broker-hostname", broker, "RabbitMQ finds its data again", checkBrokerHostname},

		{"services", services, "every service is well", checkServices},
		{"schedulers", services, "there is one scheduler", checkSchedulers},
		{"unserved", services, "every queue has a worker", checkUnserved},
		{"worker-queues", services, "the worker serves queues that exist", checkWorkerQueues},
		{"stranded", services, "no transfer is stranded", checkStranded},
	}
}
