package cli

import (
	"syncmaster-setup/internal/backup"
	"syncmaster-setup/internal/fault"
	"syncmaster-setup/internal/setup"
)

// What --output json writes. docs/output.schema.json is made of these types ("make docs").

// initJSON is the result of init.
type initJSON struct {
	Outcome string `json:"result"`
	setup.Result
}

// backupJSON is the result of backup create.
type backupJSON struct {
	Outcome string `json:"result"`
	setup.BackupResult
}

// backupsJSON is the result of backup list.
type backupsJSON struct {
	Outcome    string              `json:"result"`
	Backups    []backup.Manifest   `json:"backups"`
	Unreadable []backup.Unreadable `json:"unreadable"`
}

// verifiedJSON is the result of backup verify.
type verifiedJSON struct {
	Outcome string `json:"result"`
	backup.Manifest
}

// sqlJSON is the result of migrate upgrade --sql and downgrade --sql.
type sqlJSON struct {
	Outcome string `json:"result"`
	SQL     string `json:"sql"`
}

// statusJSON is the result of status.
type statusJSON struct {
	Outcome string `json:"result"`
	setup.Status
}

// moveJSON is the result of upgrade, rollback, backup restore, resume and abort.
type moveJSON struct {
	Outcome string `json:"result"`
	setup.MoveResult
}

// checkedJSON is the result of migrate check.
type checkedJSON struct {
	Outcome  string `json:"result"`
	Revision string `json:"revision"`
	Exact    bool   `json:"exact"`
}

// stampedJSON is the result of migrate stamp.
type stampedJSON struct {
	Outcome  string `json:"result"`
	From     string `json:"from"`
	Revision string `json:"revision"`
	Differs  bool   `json:"drift"`
}

// repairedJSON is the result of migrate repair.
type repairedJSON struct {
	Outcome    string   `json:"result"`
	Revision   string   `json:"revision"`
	Statements []string `json:"statements"`
	Left       int      `json:"differences_left"`
}

// renderJSON is the result of render.
type renderJSON struct {
	Outcome string `json:"result"`
	setup.RenderResult
}

// releaseJSON is one line of releases.
type releaseJSON struct {
	Version  string `json:"version"`
	Date     string `json:"date"`
	Revision string `json:"revision"`
	Moving   bool   `json:"moving_tag,omitempty"`
}

// migrationPlanJSON is the result of migrate upgrade and downgrade with --dry-run.
type migrationPlanJSON struct {
	Outcome  string         `json:"result"`
	DryRun   bool           `json:"dry_run"`
	Database string         `json:"database"`
	From     string         `json:"from"`
	To       string         `json:"to"`
	Steps    []planStepJSON `json:"steps"`
	Bytes    int64          `json:"disk_bytes"`
	WAL      int64          `json:"wal_bytes"`
	Free     int64          `json:"free_bytes,omitempty"` // 0 where it is not known
	BacksUp  bool           `json:"backup_first,omitempty"`
	Way      []string       `json:"in_the_way,omitempty"`
	Known    string         `json:"known_drift,omitempty"`
}

// migratedJSON is the result of migrate upgrade and downgrade.
type migratedJSON struct {
	Outcome  string        `json:"result"`
	Database string        `json:"database"`
	From     string        `json:"from"`
	To       string        `json:"to"`
	Applied  []appliedJSON `json:"applied"`
	Seconds  float64       `json:"seconds"`
	Backup   string        `json:"backup,omitempty"`
	Known    string        `json:"known_drift,omitempty"`
	Warnings []string      `json:"warnings,omitempty"`
}

// currentJSON is the result of migrate current.
type currentJSON struct {
	Outcome  string `json:"result"`
	Revision string `json:"revision"`
	Name     string `json:"name,omitempty"`
	Head     string `json:"head"`
	AtHead   bool   `json:"at_head"`
	Database string `json:"database"`
	Server   string `json:"server_version"`
	Drift    bool   `json:"drift"`
}

// revisionJSON is one line of migrate history.
type revisionJSON struct {
	Revision string `json:"revision"`
	Parent   string `json:"parent"`
	Name     string `json:"name"`
	Since    string `json:"since"`
	Head     bool   `json:"head"`
	Current  bool   `json:"current"`
}

// headsJSON is the result of migrate heads.
type headsJSON struct {
	Outcome string   `json:"result"`
	Heads   []string `json:"heads"`
}

// shownJSON is the result of migrate show.
type shownJSON struct {
	Outcome  string `json:"result"`
	Revision string `json:"revision"`
	Parent   string `json:"parent"`
	Name     string `json:"name"`
	Since    string `json:"since"`
	Up       string `json:"up"`
	Down     string `json:"down"`
}

// historyJSON is the result of history.
type historyJSON struct {
	Outcome string        `json:"result"`
	Runs    []setup.Entry `json:"runs"`
}

// doctorJSON is the result of doctor.
type doctorJSON struct {
	Outcome string `json:"result"`
	setup.Checkup
	Bundle string `json:"bundle,omitempty"`
}

// devJSON is the result of dev up and dev reset.
type devJSON struct {
	Outcome  string   `json:"result"`
	Version  string   `json:"version"`
	Revision string   `json:"revision"`
	Project  string   `json:"project"`
	Dir      string   `json:"dir"`
	Changed  bool     `json:"changed"`
	Database string   `json:"database"`
	Broker   string   `json:"broker"`
	API      string   `json:"api_url,omitempty"`
	UI       string   `json:"ui_url,omitempty"`
	Services []string `json:"services"`
	NoWorker bool     `json:"worker_waits_for_queue,omitempty"`
	Seconds  float64  `json:"seconds"`
}

// devDownJSON is the result of dev down.
type devDownJSON struct {
	Outcome string   `json:"result"`
	Removed []string `json:"removed"`
}

// devEnvJSON is the result of dev env.
type devEnvJSON struct {
	Outcome string            `json:"result"`
	Env     map[string]string `json:"env"`
}

// errorJSON is the result of every command that fails.
type errorJSON struct {
	Result   string        `json:"result"`
	ExitCode fault.Code    `json:"exit_code"`
	Problems []problemJSON `json:"problems"`
}

type problemJSON struct {
	What string `json:"what"`
	Hint string `json:"hint,omitempty"`
}

// appliedJSON is a revision that was gone over.
type appliedJSON struct {
	Revision  string  `json:"revision"`
	Direction string  `json:"direction"`
	Rows      int64   `json:"rows"`
	Seconds   float64 `json:"seconds"`
}
