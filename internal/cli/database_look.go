package cli

import (
	"context"

	"syncmaster-setup/internal/setup"
)

func (d *openDatabase) Queues(ctx context.Context) ([]setup.Queue, error) {
	found, err := d.DB.Queues(ctx)
	list := make([]setup.Queue, len(found))
	for i, q := range found {
		list[i] = setup.Queue(q)
	}
	return list, err
}

func (d *openDatabase) Runs(ctx context.Context, n int) ([]setup.Run, error) {
	found, err := d.DB.Runs(ctx, n)
	list := make([]setup.Run, len(found))
	for i, r := range found {
		list[i] = setup.Run(r)
	}
	return list, err
}

func (d *openDatabase) Differences(ctx context.Context) ([]string, error) {
	drift, err := d.Check(ctx)
	if err != nil {
		return nil, err
	}
	var words []string
	for _, x := range drift.Differences {
		if !x.Extra {
			words = append(words, x.Words)
		}
	}
	return words, nil
}
