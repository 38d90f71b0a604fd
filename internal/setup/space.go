package setup

import (
	"fmt"
	"slices"

	"github.com/compose-spec/compose-go/v2/types"

	"syncmaster-setup/internal/fault"
	"syncmaster-setup/internal/stack"
)

const (
	// spaceForData is what an empty database, a broker and their logs take in the first weeks.
	spaceForData = 1 * gibibyte
	// spaceForFiles is what a few generations of the install folder take.
	spaceForFiles = 16 * mebibyte
	// unpacking is how much more space an image needs than its download, while what was downloaded lies beside it.
	unpacking = 4
)

// checkSpace refuses where images and data would fill a disk.
func (w world) checkSpace(p *fault.Problems) {
	need := spaceForData + w.spaceForImages(w.services())
	if free, known := w.disk["images"]; known && free < need {
		p.Add(fmt.Sprintf("%s of the engine has %s free, images and data need %s", w.host.RootDir, size(free), size(need)),
			"free some space there, for example with: docker image prune")
	}
	if free, known := w.disk["folder"]; known && free < spaceForFiles {
		p.Add(fmt.Sprintf("%s has %s free, the install's files need %s", w.dir, size(free), size(spaceForFiles)), "")
	}
}

// spaceForImages is an estimate from above of what the images that are not present take.
func (w world) spaceForImages(services []string) (sum uint64) {
	var counted []string
	for _, service := range services {
		ref := w.image(service)
		if _, present := w.observed.Images[ref]; present || slices.Contains(counted, ref) {
			continue
		}
		counted = append(counted, ref)
		if packed := w.download[ref]; packed > 0 {
			sum += unpacking * uint64(packed)
		} else {
			sum += imageSpace[service]
		}
	}
	return sum
}

// dataDisk is the free space where a service keeps its data.
type dataDisk struct {
	service, path string
	free          uint64
}

// dataDisks looks at the disks of the volumes and of the host's folders that services write to, on an engine of this
// machine. Where the engine keeps its volumes only root may look; what cannot be told is left out.
func (s *Setup) dataDisks(project *types.Project, observed stack.Observed, services ...string) []dataDisk {
	var disks []dataDisk
	if project == nil {
		return nil
	}
	for _, service := range services {
		for _, mount := range project.Services[service].Volumes {
			path := mount.Source
			if mount.Type == types.VolumeTypeVolume {
				at := slices.IndexFunc(observed.Volumes, func(v stack.Volume) bool { return v.Name == project.Volumes[mount.Source].Name })
				if at < 0 {
					continue
				}
				path = observed.Volumes[at].Path
			}
			if free, err := s.System.FreeBytes(path); err == nil {
				disks = append(disks, dataDisk{service, path, free})
			}
		}
	}
	return disks
}

// imageSpace is the unpacked size of each service's image, rounded up; the worker's carries Spark and its jars. It counts
// where the size of the download is not known.
var imageSpace = map[string]uint64{
	"db": gibibyte / 2, "rabbitmq": gibibyte / 2, "server": gibibyte, "scheduler": gibibyte / 4,
	"worker": 3 * gibibyte, "frontend": gibibyte / 8,
}
