package setup

import (
	"context"
	"time"

	"syncmaster-setup/internal/stack"
)

// Status is how an install is at one moment. It holds no secrets.
type Status struct {
	Healthy  bool      `json:"healthy"`
	Time     time.Time `json:"time"`
	Version  string    `json:"version"`
	Project  string    `json:"project"`
	Dir      string    `json:"dir"`
	Work     *Work     `json:"work,omitempty"`   // that another process does at this moment
	Engine   string    `json:"engine,omitempty"` // version; empty where it does not answer
	Services []Service `json:"services"`

	Database  DatabaseStatus `json:"database"`
	Broker    BrokerStatus   `json:"broker"`
	Queues    []QueueStatus  `json:"queues"`
	Transfers []RunStatus    `json:"transfers"`
	Volumes   []VolumeStatus `json:"volumes"`
	Backup    *BackupStatus  `json:"backup,omitempty"`

	Problems []Remark `json:"problems"` // what keeps it from being healthy
	Notes    []Remark `json:"notes"`    // what else should be known: drift, stranded transfers, queues without a worker
}

// Remark is something to know, and what to type next.
type Remark struct {
	What string `json:"what"`
	Next string `json:"next,omitempty"`
	Logs string `json:"logs,omitempty"` // last lines of the container it is about
}

// Service is one container of a service, or a service without one.
type Service struct {
	Name     string      `json:"name"`
	State    stack.State `json:"state"`
	Reason   string      `json:"reason,omitempty"`
	Since    *time.Time  `json:"since,omitempty"` // it runs
	Seconds  int64       `json:"uptime_seconds,omitempty"`
	Restarts int         `json:"restarts"`
	Image    string      `json:"image,omitempty"`  // as it was asked for
	Digest   string      `json:"digest,omitempty"` // of the registry, otherwise the image's own id
	Ports    []string    `json:"ports,omitempty"`
}

// DatabaseStatus is what the database says.
type DatabaseStatus struct {
	Problem  string   `json:"problem,omitempty"`
	Revision string   `json:"revision,omitempty"`
	Head     string   `json:"head,omitempty"` // of the release; empty where its own image knows
	Pending  []string `json:"pending,omitempty"`
	Bytes    int64    `json:"bytes,omitempty"`
}

// BrokerStatus is what the broker says.
type BrokerStatus struct {
	Problem string `json:"problem,omitempty"`
	Version string `json:"version,omitempty"`
}

// QueueStatus sets a queue of the database against that of the broker.
type QueueStatus struct {
	Name     string `json:"name"`
	Slug     string `json:"slug"`
	Known    bool   `json:"known"`    // the broker answered
	Workers  int    `json:"workers"`  // consumers
	Messages int    `json:"messages"` // waiting in the broker
	Waiting  int    `json:"waiting"`  // runs that were created and not begun
}

// RunStatus is a run that has begun and not ended.
type RunStatus struct {
	ID       int64  `json:"id"`
	Transfer string `json:"transfer"`
	Queue    string `json:"queue"`
	Status   string `json:"status"`
	Seconds  int64  `json:"seconds"`
	Stranded bool   `json:"stranded"` // no worker is at work on it any more
	Reason   string `json:"reason,omitempty"`
}

// VolumeStatus is a volume of the project.
type VolumeStatus struct {
	Name  string `json:"name"`
	Bytes int64  `json:"bytes,omitempty"` // 0 where it cannot be told
}

// BackupStatus is the newest backup.
type BackupStatus struct {
	Name    string    `json:"name"`
	Time    time.Time `json:"time"`
	Seconds int64     `json:"age_seconds"`
}

// Status looks at the install once. It changes nothing, takes no lock and works without an engine; then it tells what
// the files know. An error means that there is no install to look at.
func (s *Setup) Status(ctx context.Context) (Status, error) {
	v, err := s.see(ctx, false)
	if err != nil {
		return Status{}, err
	}
	return v.status(), nil
}

func (v *sight) status() Status {
	st := Status{
		Time: v.at.UTC().Truncate(time.Second), Version: v.release.Version, Project: v.options.Project, Dir: v.dir, Work: v.work, Engine: v.host.Version,
		Queues: v.queueStatus(), Transfers: v.runStatus(), Services: []Service{}, Volumes: []VolumeStatus{},
		Database: DatabaseStatus{Problem: v.words(v.database.err), Revision: v.database.facts.Revision, Bytes: v.database.size},
		Broker:   BrokerStatus{Problem: v.words(v.broker.err), Version: v.broker.seen.Version},
	}
	if !v.imageMigrates() {
		st.Database.Head = v.release.Head
		if v.database.err == nil {
			st.Database.Pending = pending(st.Database.Revision, v.release.Head)
		}
	}
	for _, one := range v.services {
		st.Services = append(st.Services, v.serviceStatus(one))
	}
	for _, volume := range v.observed.Volumes {
		st.Volumes = append(st.Volumes, VolumeStatus{volume.Name, v.volumes[volume.Name]})
	}
	if kept := v.backups.Backups; len(kept) > 0 {
		st.Backup = &BackupStatus{kept[0].Name, kept[0].Created.UTC().Truncate(time.Second), int64(v.at.Sub(kept[0].Created).Seconds())}
	}
	st.Problems, st.Notes = v.problems(st), v.notes(st)
	for _, list := range [][]Remark{st.Problems, st.Notes} {
		for i := range list {
			list[i].Next = v.meanwhile(list[i].Next)
		}
	}
	st.Healthy = len(st.Problems) == 0
	return st
}

func (v *sight) serviceStatus(one serviceSight) Service {
	s := Service{Name: one.name, State: one.verdict.State, Reason: one.verdict.Reason}
	c := one.container
	if c == nil {
		return s
	}
	s.Restarts, s.Image = c.Restarts, c.Image
	s.Digest = digestOf(v.observed.Images[c.Image], c.ImageID)
	if c.State != "running" {
		return s
	}
	since := c.StartedAt.UTC().Truncate(time.Second)
	s.Since, s.Seconds = &since, int64(max(v.at.Add(v.skew()).Sub(c.StartedAt), 0).Seconds())
	s.Ports = v.portsOfService(c)
	return s
}

func (v *sight) queueStatus() []QueueStatus {
	list := []QueueStatus{}
	for _, q := range v.database.queues {
		seen := v.broker.seen.Queues[q.Slug]
		list = append(list, QueueStatus{
			Name: printable(q.Name), Slug: printable(q.Slug), Known: v.broker.err == nil,
			Workers: seen.Consumers, Messages: seen.Messages, Waiting: q.Waiting,
		})
	}
	return list
}

func (v *sight) runStatus() []RunStatus {
	list := []RunStatus{}
	for _, r := range v.database.runs {
		reason := v.stranded(r)
		list = append(list, RunStatus{
			ID: r.ID, Transfer: printable(r.Transfer), Queue: printable(r.Queue), Status: r.Status, Seconds: int64(r.Age.Seconds()),
			Stranded: reason != "", Reason: reason,
		})
	}
	return list
}
