package setup

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strings"

	"syncmaster-setup/internal/fault"
	"syncmaster-setup/internal/release"
	"syncmaster-setup/internal/report"
	"syncmaster-setup/internal/workdir"
)

const (
	// rewriteRate is what PostgreSQL rewrites a second on a small machine, in bytes (docs/performance.md).
	rewriteRate = 20 << 20
	// restartSeconds is about what a server takes to stop, start and answer.
	restartSeconds = 3
)

// MovePlan is what an upgrade, a rollback or a restore will do. It holds no secrets.
type MovePlan struct {
	Operation string            `json:"operation"`
	From      string            `json:"from"`
	To        string            `json:"to"`
	Through   []string          `json:"through,omitempty"` // releases, the last one included
	Images    []PlannedImage    `json:"images,omitempty"`
	Settings  []PlannedSetting  `json:"settings,omitempty"`
	Files     map[string]string `json:"files,omitempty"` // what changes in each, secrets masked
	Revisions []PlannedRevision `json:"revisions,omitempty"`
	Database  string            `json:"database,omitempty"` // what happens to the database, in words
	Stops     []string          `json:"stops,omitempty"`    // services, in their order
	Running   []Transfer        `json:"running,omitempty"`  // transfers that the database holds for running
	Outage    float64           `json:"expected_outage_seconds"`
	Backup    int64             `json:"backup_bytes"` // at most; 0 for none
	Disk      int64             `json:"disk_bytes"`   // that the rewriting of tables needs for a while
	Steps     []string          `json:"steps"`
	Back      []string          `json:"way_back"`
	Warnings  []string          `json:"warnings,omitempty"`
	Choices   Choices           `json:"choices"`
	// World is a print of everything that was looked at: what it tells apart may not change before the plan is carried out.
	World map[string]string `json:"world"`
}

// PlannedImage is one image of the target.
type PlannedImage struct {
	Ref      string `json:"ref"`
	Present  bool   `json:"present"`
	Digest   string `json:"digest,omitempty"`
	Bytes    int64  `json:"bytes,omitempty"`          // of a present one
	Download int64  `json:"download_bytes,omitempty"` // of one to pull, at most; 0 where that is not known
}

// PlannedSetting is what happens to one setting.
type PlannedSetting struct {
	Kind    release.ChangeKind `json:"kind"`
	Release string             `json:"release"`
	From    string             `json:"from,omitempty"`
	To      string             `json:"to,omitempty"`
	Value   string             `json:"value,omitempty"`
	Why     string             `json:"why"`
}

// PlannedRevision is one revision that is applied.
type PlannedRevision struct {
	Revision
	Seconds float64 `json:"predicted_seconds"`
}

// stepsOf returns the names of a ticket's steps with their reasons, and what the way back does.
func (s *Setup) stepsOf(t ticket) (forward, back []string) {
	sketch := &move{ticket: t, run: &run{Setup: s}}
	sketch.dir, sketch.options = s.Dir.Path(), t.From.State.Options
	p := sketch.plan()
	for _, s := range p.Steps {
		forward = append(forward, s.Name+": "+s.Why)
	}
	return forward, p.Backward()
}

// describe is the plan of an upgrade.
func (u *upgrade) describe(t ticket) MovePlan {
	p := MovePlan{
		Operation: t.Operation, From: u.release.Version, To: u.target.Version,
		Files: u.changedFiles(), Running: u.inProgress, Disk: u.forecast.Bytes, World: u.print(),
		Warnings: u.notices(),
	}
	through, _ := release.Route(u.release.Version, u.target.Version) // both were looked up
	for _, r := range through {
		p.Through = append(p.Through, r.Version)
	}
	for _, service := range u.movedServices() {
		p.addImage(u.targetImage(service), u.world)
	}
	for _, c := range u.merge.changes {
		p.Settings = append(p.Settings, PlannedSetting{c.Kind, c.Release, c.From, c.To, c.Value, c.Why})
	}
	p.predict(u.forecast, t)
	if u.byImage() {
		p.Database = "the image of release " + u.target.Version + " migrates it; how long that takes is not known here"
	}
	if !t.NoBackup {
		p.Backup = u.size
	}
	return p
}

// warn tells what the user should know, and adds it to a plan.
func (s *Setup) warn(p *MovePlan, text string) {
	p.Warnings = append(p.Warnings, text)
	s.Report.Report(report.Event{Kind: report.Warning, Text: text})
}

// addImage adds an image of the target once.
func (p *MovePlan) addImage(ref string, w world) {
	if slices.ContainsFunc(p.Images, func(i PlannedImage) bool { return i.Ref == ref }) {
		return
	}
	image, present := w.observed.Images[ref]
	planned := PlannedImage{Ref: ref, Present: present, Bytes: image.Bytes, Digest: w.offered[ref], Download: w.download[ref]}
	if len(image.RepoDigests) > 0 {
		_, planned.Digest, _ = strings.Cut(image.RepoDigests[0], "@")
	}
	p.Images = append(p.Images, planned)
}

// predict sets the revisions, what stops, and how long the server will be away.
func (p *MovePlan) predict(f Forecast, t ticket) {
	p.Revisions, p.Stops, p.Outage = nil, nil, restartSeconds // a rollback predicts again, once it knows the revisions
	for _, r := range f.Revisions {
		seconds := 0.1 + float64(r.Bytes)/rewriteRate
		p.Revisions = append(p.Revisions, PlannedRevision{r, float64(int(seconds*10)) / 10}) //nolint:mnd // one decimal
		p.Outage += seconds
	}
	p.Outage = float64(int(p.Outage*10)) / 10
	for _, service := range []string{"scheduler", "worker", "server", "frontend"} {
		if slices.Contains(t.Running, service) {
			p.Stops = append(p.Stops, service)
		}
	}
	if !slices.Contains(t.Running, "server") {
		p.Outage = 0
	}
}

// changedFiles is what changes in each file, with secrets masked.
func (u *upgrade) changedFiles() map[string]string {
	now, then := textsOf(u.current()), textsOf(u.merge.files)
	changed := map[string]string{}
	for name, text := range then {
		if name == workdir.ComposeFile && u.merge.keepsCompose {
			continue
		}
		if d := lineDiff(now[name], text); d != "" {
			changed[name] = u.hide(d)
		}
	}
	return changed
}

// composeThen is the Compose file that will be in place.
func (u *upgrade) composeThen() string {
	if u.merge.keepsCompose {
		return u.current().Compose
	}
	return u.merge.files.Compose
}

// print tells worlds apart without telling what is in them.
func (w world) print() map[string]string {
	marks := map[string]string{}
	for name, text := range w.texts {
		marks["file "+name] = fingerprint(text)
	}
	for _, c := range w.observed.Containers {
		marks["container of "+c.Service] = c.ID + " " + c.State
	}
	for ref, image := range w.observed.Images {
		marks["image "+ref] = image.ID
	}
	for ref, digest := range w.offered {
		marks["image "+ref+" in its registry"] = digest
	}
	return marks
}

// edited names the files of the install that are not as they were looked at.
func (p MovePlan) edited(found map[string]string) []string {
	var list []string
	for _, name := range []string{workdir.ComposeFile, workdir.EnvFile, workdir.AppEnvFile} {
		mark, had := p.World["file "+name]
		if text, has := found[name]; has != had || has && fingerprint(text) != mark {
			list = append(list, name)
		}
	}
	return list
}

func fingerprint(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

// matches refuses to carry out another plan than p was: the world has moved, or other options were given. A nil p
// accepts any.
func (p *MovePlan) matches(now MovePlan) error {
	if p == nil {
		return nil
	}
	problems := &fault.Problems{Code: fault.Refused}
	if p.Operation != now.Operation || p.From != now.From || p.To != now.To {
		problems.Add(fmt.Sprintf("the plan is for %s from release %s to %s; this would be from %s to %s", p.Operation, p.From, p.To, now.From, now.To), "make a new plan")
		return problems.Err()
	}
	names := maps.Clone(p.World)
	maps.Copy(names, now.World)
	for _, name := range slices.Sorted(maps.Keys(names)) {
		if p.World[name] != now.World[name] {
			problems.Add(name+" is not as it was when the plan was made", "look at it, then make a new plan")
		}
	}
	if !slices.EqualFunc(p.Revisions, now.Revisions, func(a, b PlannedRevision) bool { return a.ID == b.ID }) {
		problems.Add("the database is at another revision than when the plan was made", "make a new plan")
	}
	if len(problems.List) > 0 { // which explains what follows from it
		return problems.Err()
	}
	if !slices.Equal(p.Steps, now.Steps) {
		problems.Add("the steps would not be those of the plan", "give the options that the plan was made with, or make a new plan")
	}
	if !maps.Equal(p.Files, now.Files) {
		problems.Add("the files would not change as in the plan", "give the options that the plan was made with, or make a new plan")
	}
	return problems.Err()
}
