package setup

import (
	"maps"
	"slices"
	"time"

	"syncmaster-setup/internal/envfile"
)

// Choices are what the user has decided about an upgrade. They are a part of its plan.
type Choices struct {
	Ours         []string      `json:"ours,omitempty"` // variables whose value stays the user's
	Theirs       []string      `json:"theirs,omitempty"`
	KeepCompose  bool          `json:"keep_compose,omitempty"`
	NoBackup     bool          `json:"no_backup,omitempty"`
	Drain        time.Duration `json:"drain"`
	DrainOrAbort bool          `json:"drain_or_abort,omitempty"`
}

func (o UpgradeOptions) choices() Choices {
	c := Choices{KeepCompose: o.KeepCompose, NoBackup: o.NoBackup, Drain: o.Drain, DrainOrAbort: o.DrainOrAbort}
	for _, name := range slices.Sorted(maps.Keys(o.Prefer)) {
		if o.Prefer[name] == envfile.Ours {
			c.Ours = append(c.Ours, name)
		} else {
			c.Theirs = append(c.Theirs, name)
		}
	}
	return c
}

// Follow makes an upgrade the one that a plan describes, decisions included, or none where the world has moved.
func (o *UpgradeOptions) Follow(p *MovePlan) {
	c := p.Choices
	o.Expect, o.To, o.KeepCompose, o.NoBackup, o.Drain, o.DrainOrAbort = p, p.To, c.KeepCompose, c.NoBackup, c.Drain, c.DrainOrAbort
	o.Prefer = map[string]envfile.Side{}
	for _, name := range c.Ours {
		o.Prefer[name] = envfile.Ours
	}
	for _, name := range c.Theirs {
		o.Prefer[name] = envfile.Theirs
	}
}
