package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
)

// comparison is a cost in microseconds and how often it is the limit's.
type comparison struct {
	Micros spread  `json:"us"`
	Limit  string  `json:"limit,omitempty"`
	Ratio  *spread `json:"ratio,omitempty"`
}

// errNotExact fails a row whose deliveries were not what they should be; the verdict has been printed and recorded.
var errNotExact = errors.New("not every stream got every event once and in order")

// compare measures a cost per item on all servers in turn and sets it against the limit with as many threads.
func (b *bench) compare(ctx context.Context, row, item string,
	measure func(context.Context, *trial) (measured any, micros float64, err error)) error {
	specs := b.specs("ssedge", "limit", "twin")
	costs := make(map[string][]float64)
	err := b.alternate(ctx, specs, func(round int, s spec) error {
		return b.try(ctx, s, func(ctx context.Context, t *trial) error {
			measured, each, err := measure(ctx, t)
			if err != nil {
				return err
			}
			costs[s.String()] = append(costs[s.String()], each)
			return b.report.trial(row, s, round, measured)
		})
	})
	if err != nil {
		return err
	}
	for _, s := range specs {
		result := comparison{Micros: spreadOf(costs[s.String()])}
		text := fmt.Sprintf("%v us of CPU per %s", result.Micros, item)
		limit := spec{name: "limit", shards: max(s.shards, b.shards[0])}.String()
		// A trial too short for the clock of /proc costs nothing, and nothing can be divided by that.
		if base := costs[limit]; s.name != "limit" && len(base) > 0 && slices.Min(base) > 0 {
			against := ratio(costs[s.String()], base)
			result.Limit, result.Ratio = limit, &against
			text += fmt.Sprintf(", %v × %v", against, limit)
		}
		if err := b.report.result(row, s.String(), result, "%s", text); err != nil {
			return err
		}
	}
	return nil
}
