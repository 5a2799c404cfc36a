package redis

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"

	"github.com/redis/rueidis"
)

// errUncovered is that topics of some slots can neither be published nor followed.
var errUncovered = errors.New("the cluster has no master for some slots")

// uncovered are how many slots no master owns, and the first of them.
func (t *slotTable) uncovered() (n int, first uint16) {
	for slot := slotsMax - 1; slot >= 0; slot-- {
		if t.owners[slot] == 0 {
			n, first = n+1, uint16(slot)
		}
	}
	return n, first
}

// noteUncovered notes whether the cluster has all its slots.
func (s *Source) noteUncovered() {
	n, first := s.slots.Load().uncovered()
	if n == 0 {
		s.troubles.uncovered.ends(s.config.Logger, "the cluster has a master for each slot again")
		return
	}
	err := fmt.Errorf("%w: %d of %d, the first is %d", errUncovered, n, slotsMax, first)
	s.counts.failed(opSlots, err)
	s.troubles.uncovered.fails(s.config.Logger, asItIs, slog.LevelError,
		"topics of these slots wait, and cannot be published", err)
}

// watchMigrating looks at the streams of topics whose slot is on its way between two masters, until
// ctx ends. Until the slot has arrived, edges are subscribed at the one that it leaves; but a
// stream that is not there any more, or is new, is published to at the other one (ASK), and what is
// sent there reaches no subscriber. It lasts moments, or for ever, if whatever moves the slots was
// interrupted.
func (s *Source) watchMigrating(ctx context.Context) {
	for sleep(ctx, slotsEvery) {
		leaving := s.migrating(ctx)
		if len(leaving) == 0 {
			continue
		}
		for _, f := range s.followers() {
			if leaving[slotOf(f.key())] {
				f.recheck()
			}
		}
	}
}

// migrating asks each master which slots leave it. One that does not answer has no subscribers
// either.
func (s *Source) migrating(ctx context.Context) map[uint16]bool {
	within, cancel := context.WithTimeout(ctx, s.config.Timeout)
	defer cancel()
	table, clients := s.slots.Load(), s.client.Nodes()
	if table == nil {
		return nil
	}
	var mu sync.Mutex
	var asking sync.WaitGroup
	leaving := map[uint16]bool{}
	for _, n := range table.nodes {
		client := clients[n.address]
		if client == nil {
			continue
		}
		asking.Go(func() {
			text, err := client.Do(within, client.B().ClusterNodes().Build()).ToString()
			if _, refused := rueidis.IsRedisErr(err); refused {
				s.counts.failed(opSlots, err)
				s.troubles.migrating.fails(s.config.Logger, s.hinted, slog.LevelWarn,
					"it is not known which slots are on their way: their topics may wait until these have arrived",
					err, "server", n.address)
			}
			mu.Lock()
			defer mu.Unlock()
			addMigrating(leaving, text)
		})
	}
	asking.Wait()
	return leaving
}

// addMigrating reads an answer to CLUSTER NODES: the server's own line has the slots that it gives
// away, as [slot->-node].
func addMigrating(leaving map[uint16]bool, text string) {
	for line := range strings.Lines(text) {
		fields := strings.Fields(line)
		if len(fields) < 8 || !strings.Contains(fields[2], "myself") {
			continue
		}
		for _, f := range fields[8:] {
			var slot uint16
			if _, err := fmt.Sscanf(f, "[%d->-", &slot); err == nil {
				leaving[slot] = true
			}
		}
	}
}
