package release

// Defect is a fault of the samples that a release publishes, and how the files written here avoid it.
type Defect struct {
	ID           string
	Since, Until string // releases whose samples have it, both included; an empty bound is open
	What         string
	Closed       string
}

// In reports whether the samples of r have the defect. Of releases that are not described here nothing is known.
func (d Defect) In(r Release) bool { return !r.Unknown && r.between(d.Since, d.Until) }

// Defects returns the faults of the published samples (contract.md, section 9).
func Defects() []Defect {
	return []Defect{
		{"no-cors", "", "0.2.4", ".env.docker has no CORS settings, so the frontend on port 3000 cannot call port 8000", "CORS settings for the real address of the frontend"},
		{"api-address-without-v1", "", "0.2.3", "the frontend's API address lacks /v1, which this frontend needs", "the address gets /v1 up to 0.2.3 and loses it from 0.2.4"},
		{"impossible-queue", "", "0.2.3", "the worker listens on test_queue, which no slug can equal", "workers start only with a slug that the user names"},
		{"hwm-store-enabled", "", "0.3.1", "the HWM store is enabled at a host that is not in the compose file, so every run fails", "off unless configured"},
		{"config-under-tmpfs", "0.3.0", "0.3.1", "the server's config file is listed under tmpfs, so its container is refused", "settings come from .env.docker"},
		{"cors-in-wrong-section", "0.3.0", "0.3.1", "config.docker.yml has the CORS lists under server instead of server.cors, so they are ignored", "CORS settings as environment variables"},
		{"dead-config-keys", "0.3.0", "", "config.docker.yml has no superusers, a scheduler key in lower case without effect and a misspelt Keycloak key", "settings are checked by name, and given as environment variables"},
		{"floating-rabbitmq", "", "0.3.2", "rabbitmq:4 floats to 4.3, which refuses Celery's queues", "rabbitmq:4.2"},
		{"broker-without-hostname", "", "", "RabbitMQ has no hostname, so a recreated container starts with an empty broker", "a fixed hostname"},
		{"published-ports", "", "", "database and broker are published on every address", "published on 127.0.0.1"},
		{"sample-secrets", "", "", "keys and passwords are those of the public sample", "generated for each installation"},
		{"debug-on", "", "", "the server runs in debug mode", "off unless the preset is local"},
		{"worker-stop-timeout", "", "", "the worker is killed after ten seconds, and its run with it", "a stop_grace_period that lets a transfer end"},
		{"scheduler-without-init", "", "", "the scheduler ignores SIGTERM and is killed after the stop timeout", "init: true"},
	}
}
