package engine

import (
	"sync"

	"github.com/moby/moby/api/types/jsonstream"
)

// Phase is what happens to an image that is pulled.
type Phase string

// The phases in the order in which an image passes them; retrying leads back to waiting.
const (
	PhaseWaiting     Phase = "waiting"
	PhaseDownloading Phase = "downloading"
	PhaseExtracting  Phase = "extracting"
	PhaseRetrying    Phase = "retrying"
	PhaseDone        Phase = "done"
)

// PullProgress is how far a pull has come. Sizes are compressed bytes of layers that had to be downloaded. The engine
// tells the size of a layer when its download begins, so the totals grow at first.
type PullProgress struct {
	Ref         string
	Phase       Phase
	Done, Total int64 // of this image
	// AllDone and AllTotal are the sums over all images of the pull.
	AllDone, AllTotal int64
}

// meter adds up the layers of all images of a pull. A layer that several images share is counted once in each image,
// as the engine reports it.
type meter struct {
	mu     sync.Mutex
	report func(PullProgress)
	images map[string]*imageMeter
}

type imageMeter struct {
	phase  Phase
	layers map[string]*layerMeter
}

type layerMeter struct{ done, total int64 }

func newMeter(report func(PullProgress)) *meter {
	if report == nil {
		report = func(PullProgress) {}
	}
	return &meter{report: report, images: make(map[string]*imageMeter)}
}

// message takes one line of the engine's progress stream.
func (m *meter) message(ref string, message jsonstream.Message) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if message.ID == "" {
		return
	}
	image := m.image(ref)
	switch message.Status {
	case "Downloading":
		image.phase = PhaseDownloading
		if message.Progress == nil {
			return
		}
		layer := image.layer(message.ID)
		layer.done = message.Progress.Current
		// A layer of unknown size is at least as large as what came so far.
		layer.total = max(layer.total, message.Progress.Total, layer.done)
	case "Verifying Checksum", "Download complete":
		if layer, ok := image.layers[message.ID]; ok {
			layer.done = layer.total
		}
	case "Extracting":
		if image.downloaded() {
			image.phase = PhaseExtracting
		}
	default:
		return
	}
	m.tell(ref)
}

func (m *meter) phase(ref string, phase Phase) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.image(ref).phase = phase
	m.tell(ref)
}

func (m *meter) done(ref string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	image := m.image(ref)
	image.phase = PhaseDone
	for _, layer := range image.layers {
		layer.done = layer.total
	}
	m.tell(ref)
}

func (m *meter) image(ref string) *imageMeter {
	image, ok := m.images[ref]
	if !ok {
		image = &imageMeter{phase: PhaseWaiting, layers: make(map[string]*layerMeter)}
		m.images[ref] = image
	}
	return image
}

func (m *meter) tell(ref string) {
	image := m.images[ref]
	progress := PullProgress{Ref: ref, Phase: image.phase}
	progress.Done, progress.Total = image.sum()
	for _, other := range m.images {
		done, total := other.sum()
		progress.AllDone += done
		progress.AllTotal += total
	}
	m.report(progress)
}

func (i *imageMeter) layer(id string) *layerMeter {
	layer, ok := i.layers[id]
	if !ok {
		layer = &layerMeter{}
		i.layers[id] = layer
	}
	return layer
}

func (i *imageMeter) downloaded() bool {
	done, total := i.sum()
	return done == total
}

func (i *imageMeter) sum() (done, total int64) {
	for _, layer := range i.layers {
		done += layer.done
		total += layer.total
	}
	return done, total
}
