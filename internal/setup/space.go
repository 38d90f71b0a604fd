package setup

import (
	"fmt"
	"slices"

	"syncmaster-setup/internal/fault"
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

// imageSpace is the unpacked size of each service's image, rounded up; the worker's carries Spark and its jars. It counts
// where the size of the download is not known.
var imageSpace = map[string]uint64{
	"db": gibibyte / 2, "rabbitmq": gibibyte / 2, "server": gibibyte, "scheduler": gibibyte / 4,
	"worker": 3 * gibibyte, "frontend": gibibyte / 8,
}
