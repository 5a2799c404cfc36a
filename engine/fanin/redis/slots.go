package redis

import (
	"context"
	"log/slog"
	"net"
	"strconv"
	"time"

	"github.com/redis/rueidis"
)

// slotTable says which master owns a slot: an index into nodes. It is never changed.
type slotTable struct {
	nodes  []*node
	owners [slotsMax]uint16 // 1 more than the index; 0: no known owner
}

func (t *slotTable) owner(slot uint16) *node {
	if t == nil || t.owners[slot] == 0 {
		return nil
	}
	return t.nodes[t.owners[slot]-1]
}

// span is a range of slots and the addresses of its master and of that one's replicas.
type span struct {
	from, to uint16
	master   string
	replicas []string
}

// readSlots reads CLUSTER SLOTS from one of the servers.
func (s *Source) readSlots(ctx context.Context) ([]span, error) {
	var last error
	for address, client := range s.client.Nodes() {
		within, cancel := context.WithTimeout(ctx, s.config.Timeout)
		rows, err := client.Do(within, client.B().ClusterSlots().Build()).ToArray()
		cancel()
		if err != nil {
			last = err
			continue
		}
		var spans []span
		for _, row := range rows {
			fields, err := row.ToArray()
			if err != nil || len(fields) < 3 {
				continue
			}
			from, _ := fields[0].AsInt64()
			to, _ := fields[1].AsInt64()
			if from < 0 || to >= slotsMax {
				continue
			}
			sp := span{from: uint16(from), to: uint16(to), master: serverOf(fields[2], address)}
			if sp.master == "" {
				continue
			}
			for _, f := range fields[3:] {
				if replica := serverOf(f, address); replica != "" {
					sp.replicas = append(sp.replicas, replica)
				}
			}
			spans = append(spans, sp)
		}
		if len(spans) > 0 {
			return spans, nil
		}
	}
	if last == nil {
		last = rueidis.ErrClosing
	}
	return nil, last
}

// serverOf reads the address of a server from a row of CLUSTER SLOTS; "" if it has none. The row is
// the answer of the server at asked.
func serverOf(row rueidis.RedisMessage, asked string) string {
	fields, err := row.ToArray()
	if err != nil || len(fields) < 2 {
		return ""
	}
	host, _ := fields[0].ToString()
	port, _ := fields[1].AsInt64()
	if host == "" || host == "?" {
		// the server does not know its own address: it is the one that was asked
		host, _, _ = net.SplitHostPort(asked)
	}
	if port == 0 { // of one that is gone, some servers no longer know where it was
		return ""
	}
	return net.JoinHostPort(host, strconv.FormatInt(port, 10))
}

// refreshSlots asks for a new look at which node owns which slots.
func (s *Source) refreshSlots() {
	if s.sharded() {
		signal(s.refresh)
	}
}

// The least time between two looks, and the most.
const (
	slotsPause = 100 * time.Millisecond
	slotsEvery = 5 * time.Second
)

// watchSlots keeps the table of slots, and followers with their masters, until ctx ends.
func (s *Source) watchSlots(ctx context.Context) {
	every := time.NewTicker(slotsEvery)
	defer every.Stop()
	for {
		select {
		case <-s.refresh:
		case <-every.C:
		case <-ctx.Done():
			return
		}
		if spans, err := s.readSlots(ctx); err != nil {
			s.counts.failed(opSlots, err)
			s.troubles.slots.fails(s.config.Logger, s.hinted, slog.LevelWarn,
				"no server of the cluster tells its slots", err)
		} else {
			s.troubles.slots.ends(s.config.Logger, "the slots of the cluster are known again")
			s.setSlots(ctx, spans)
			s.noteUncovered()
		}
		s.loseMoved()
		for _, f := range s.strays.take() {
			f.flags.And(^uint32(flagStray))
			if !f.isGone() {
				s.settle(f)
			}
		}
		if !sleep(ctx, slotsPause) {
			return
		}
	}
}

// movedChannel is a shared channel whose subscription has ended because its slot has moved.
type movedChannel struct {
	node    *node
	channel string
}

// loseMoved tells the followers of channels that have moved that they have no connection.
func (s *Source) loseMoved() {
	lost := map[movedChannel]bool{}
	for _, m := range s.moved.take() {
		lost[m] = true
	}
	if len(lost) == 0 {
		return
	}
	for _, f := range s.followers() {
		f.mu.Lock()
		n := f.node
		f.mu.Unlock()
		if lost[movedChannel{n, s.names.subscription(f.topic.Name())}] && f.lostBy(n) {
			s.stray(f)
		}
	}
}

// setSlots makes a new table if there is anything new, starts nodes that are new, and moves
// followers.
func (s *Source) setSlots(ctx context.Context, spans []span) {
	t := &slotTable{}
	index := map[string]uint16{}
	for _, sp := range spans {
		if index[sp.master] == 0 {
			t.nodes = append(t.nodes, s.nodeAt(ctx, sp.master, spans))
			index[sp.master] = uint16(len(t.nodes))
		}
		for slot := int(sp.from); slot <= int(sp.to); slot++ {
			t.owners[slot] = index[sp.master]
		}
	}
	old := s.slots.Swap(t)
	changed := false
	for slot := range uint16(slotsMax) {
		if old.owner(slot) != t.owner(slot) {
			changed = true
			break
		}
	}
	if !changed {
		return
	}
	if old == nil {
		s.config.Logger.Info("connected to a cluster", "masters", len(t.nodes))
	} else {
		s.config.Logger.Info("the slots of the cluster have moved", "masters", len(t.nodes))
	}
	for _, f := range s.followers() {
		if n := t.owner(slotOf(f.key())); n != nil {
			if from := f.moveTo(n); from != nil {
				from.leave(f)
			}
		}
	}
	for address, n := range s.nodes { // a node that owns nothing any more: all followers have left
		if index[address] == 0 {
			n.stop()
			delete(s.nodes, address)
			s.clock.forget(address)
		}
	}
}

// nodeAt returns the node at an address, made and started if need be.
func (s *Source) nodeAt(ctx context.Context, address string, spans []span) *node {
	if n := s.nodes[address]; n != nil {
		return n
	}
	probe, _ := probeChannel(s.instance, func(slot uint16) bool {
		return ownedBy(spans, address, slot)
	})
	n := newNode(s, address, probe, func() rueidis.Client { return s.subs.Nodes()[address] })
	s.nodes[address] = n
	ctx, n.stop = context.WithCancel(ctx)
	s.running.Go(func() { n.run(ctx) })
	return n
}
