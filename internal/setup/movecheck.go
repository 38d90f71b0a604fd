package setup

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"syncmaster-setup/internal/fault"
	"syncmaster-setup/internal/release"
	"syncmaster-setup/internal/report"
	"syncmaster-setup/internal/workdir"
)

// check adds what forbids the upgrade.
func (u *upgrade) check(o UpgradeOptions, p *fault.Problems) {
	if u.writable != nil {
		p.Add(u.writable.Error(), "make the folder writable for you")
	}
	if version, _ := u.value(workdir.EnvFile, "VERSION"); version != u.state.Version {
		p.Add(fmt.Sprintf("%s says VERSION=%s, and release %s was installed: somebody has changed the release by hand", workdir.EnvFile, version, u.state.Version),
			fmt.Sprintf("write VERSION=%s there again, then: cd %s && docker compose up -d", u.state.Version, u.dir))
	}
	if !u.byImage() && u.facts.Revision > u.target.Head {
		p.Add(fmt.Sprintf("the database is at revision %s, release %s ends at %s: its data is newer", u.facts.Revision, u.target, u.target.Head), "choose a newer release with --to")
	}
	p.List = append(p.List, u.unreadable...)
	u.checkBeyondUs(p)
	u.checkServer(o, p)
	u.checkKeyAgainst(p)
	u.checkTargetImages(p)
	u.checkDisk(o.NoBackup, u.loaded(), p)
}

// checkBeyondUs refuses while services of the user's own run SyncMaster: they would go on with the release that they are of.
func (u *upgrade) checkBeyondUs(p *fault.Problems) {
	for _, service := range beyondUs(u.observed) {
		p.Add(fmt.Sprintf("the service %s of %s runs SyncMaster, and is neither drained nor replaced here", service, workdir.OverrideFile),
			fmt.Sprintf("stop it, and start it again afterwards: cd %s && docker compose stop %s; docker compose up -d %s", u.dir, service, service))
	}
}

// checkServer refuses another PostgreSQL than the files say, and a dump that cannot be made.
func (u *upgrade) checkServer(o UpgradeOptions, p *fault.Problems) {
	runs := u.facts.ServerVersion / 10000 //nolint:mnd // the major version
	if major := postgresMajor(u.databaseImage()); !u.options.ExternalDatabase && runs > 0 && major > 0 && major != runs {
		p.Add(fmt.Sprintf("PostgreSQL %d runs on the volume, and the image of the database would be %s: another major cannot read its files", runs, u.databaseImage()),
			fmt.Sprintf("keep the image of the database in %s, as services: {db: {image: \"postgres:%d\"}}", workdir.OverrideFile, runs))
	}
	external, lossy := u.options.ExternalDatabase, u.backByDump()
	switch {
	case external && lossy:
		p.Add(fmt.Sprintf("the database is not a container of this install, and what release %s changes in it can only be taken back with a backup", u.target),
			"choose a release whose revisions this program carries, with --to, or use a newer syncmaster-setup")
	case external && !o.NoBackup:
		p.Add("the database is not a container of this install, so no backup can be taken of it here",
			"back it up yourself, then type the same with --no-backup")
	case !o.NoBackup || !lossy:
	case u.byImage():
		p.Add(fmt.Sprintf("release %s is migrated by its own image, so the way back needs a backup", u.target), "leave out --no-backup")
	default:
		p.Add(fmt.Sprintf("the revisions of release %s cannot be taken back without losing rows, so the way back needs a backup", u.target), "leave out --no-backup")
	}
}

// pending reports whether the database changes, and backByDump whether the way back of that is its dump.
func (u *upgrade) pending() bool    { return u.byImage() || len(u.forecast.Revisions) > 0 }
func (u *upgrade) backByDump() bool { return u.pending() && (u.byImage() || !u.forecast.Reversible) }

// loaded is the size of the database that the way back would load beside the one in use.
func (u *upgrade) loaded() int64 {
	if u.backByDump() {
		return u.size
	}
	return 0
}

// databaseImage is the image that the database's service will have: the target's, unless the user has chosen another one.
func (u *upgrade) databaseImage() string {
	if u.dbImage != "" && u.dbImage != u.image("db") {
		return u.dbImage
	}
	return u.targetImage("db")
}

// postgresMajor reads PostgreSQL's major version from the reference of an image of its own, 0 where that does not tell.
func postgresMajor(ref string) int {
	name, _, _ := strings.Cut(ref[strings.LastIndex(ref, "/")+1:], "@")
	repository, tag, _ := strings.Cut(name, ":")
	digits := tag[:len(tag)-len(strings.TrimLeft(tag, "0123456789"))]
	major, err := strconv.Atoi(digits)
	if err != nil || repository != "postgres" {
		return 0
	}
	return major
}

func (u *upgrade) checkKeyAgainst(p *fault.Problems) {
	if key := u.recorded(fernetSetting); !opensAll(key, u.tokens) {
		p.Add("the encryption key does not open the credentials that are stored in the database",
			"put the right "+fernetSetting+" into "+u.dir+"/"+workdir.AppEnvFile+"; older ones are in "+u.dir+"/"+backups)
	}
}

// checkTargetImages refuses images that are neither present nor to be had.
func (u *upgrade) checkTargetImages(p *fault.Problems) { u.then().checkImages(p) }

// checkDisk refuses where images, backup, rewritten tables and a database that is loaded beside the one in use would fill
// a disk. loaded is the size of that one, as far as it is known.
func (u *upgrade) checkDisk(noBackup bool, loaded int64, p *fault.Problems) {
	dataNeeds := uint64(u.forecast.Bytes) + uint64(loaded) //nolint:gosec // a size is not negative
	engineNeeds, backupNeeds := dataNeeds+u.then().spaceForImages(u.movedServices()), spaceForFiles
	if !noBackup {
		backupNeeds += uint64(u.size) //nolint:gosec // a size is not negative
	}
	needed := "rewritten tables"
	if loaded > 0 {
		needed = "a database that is loaded from a backup"
	}
	free, known := u.disk["images"]
	full := known && free < engineNeeds
	if full {
		p.Add(fmt.Sprintf("%s of the engine has %s free, images and %s need up to %s", u.host.RootDir, size(free), needed, size(engineNeeds)),
			"free some space there, for example with: docker image prune")
	}
	for _, d := range u.dataDisks {
		if same := full && d.free == free; d.free < dataNeeds && !same {
			p.Add(fmt.Sprintf("%s, where the database keeps its data, has %s free, %s need up to %s", d.path, size(d.free), needed, size(dataNeeds)),
				"make space on that disk")
		}
	}
	if free, known := u.disk["backups"]; known && free < backupNeeds {
		p.Add(fmt.Sprintf("%s/%s has %s free, the backup needs up to %s", u.dir, backups, size(free), size(backupNeeds)),
			"free some space there; see the backups with: syncmaster-setup backup list --dir "+u.dir)
	}
}

// notices are what the user should know before the first change.
func (u *upgrade) notices() []string {
	var list []string
	if u.forecast.Known != "" {
		list = append(list, "the schema is that of a database "+u.forecast.Known+": two columns are of another length; mend it afterwards with: syncmaster-setup migrate repair")
	}
	if len(u.facts.Holding) > 0 && u.pending() {
		list = append(list, "the migration would wait for a transaction that is held open, and go back after half a minute: "+strings.Join(u.facts.Holding, "; ")+
			"; end it first, if nobody needs it, with: SELECT pg_terminate_backend(PID)")
	}
	if u.byImage() && u.target.Unknown {
		list = append(list, fmt.Sprintf("release %s is newer than this program: it is set up like %s, and its own image migrates the database", u.target, release.Newest()))
	}
	if u.merge.keepsCompose {
		list = append(list, workdir.ComposeFile+" was edited by hand and stays as it is")
	}
	if newer(u.broker, lastBroker) && slices.Contains(u.present, "worker") {
		list = append(list, fmt.Sprintf("RabbitMQ %s refuses the queues that Celery declares for its workers, unless deprecated_features.permit.transient_nonexcl_queues is set; %s is the newest that works without", u.broker, lastBroker))
	}
	if len(u.shadowed) > 0 {
		list = append(list, fmt.Sprintf("the environment sets %s, which beats .env when you type docker compose: unset it", strings.Join(u.shadowed, ", ")))
	}
	return list
}

// tellUpgrade reports the notices.
func (s *Setup) tellUpgrade(u *upgrade) {
	for _, text := range u.notices() {
		s.Report.Report(report.Event{Kind: report.Warning, Text: text})
	}
}
