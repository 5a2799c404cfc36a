package redis

import (
	"context"
	"log/slog"
	"slices"
	"time"

	"github.com/redis/rueidis"
)

// joinChannels is how many channels one command subscribes.
const joinChannels = 512

// channelPause is how long a channel waits that the servers do not let us subscribe.
const channelPause = 10 * time.Second

// work unsubscribes and subscribes some of what is queued. It reports whether there is more.
func (n *node) work(ctx context.Context, c rueidis.DedicatedClient) (more bool, err error) {
	s := n.source
	n.mu.Lock()
	leaving := n.leaving
	n.leaving = nil
	batch := n.joining[:min(len(n.joining), joinChannels)]
	n.joining = n.joining[len(batch):]
	more = len(n.joining) > 0
	n.mu.Unlock()
	leaving = slices.DeleteFunc(leaving, func(channel string) bool { // its topic is followed again
		topic, _ := s.names.topicOf(channel)
		f := s.followerOf(topic)
		return f != nil && f.at(n)
	})
	if len(leaving) > 0 {
		if err := n.unsubscribe(ctx, c, leaving); err != nil {
			return false, err
		}
	}
	return more, n.subscribeAll(ctx, c, n.groups(n.wanted(batch)))
}

// wanted is a channel that is to be subscribed, and the followers that want it.
type wanted struct {
	channel string
	by      []joining
}

// joining is a follower whose channel is being subscribed, and its feed's epoch then.
type joining struct {
	follower *follower
	epoch    uint32
}

// wanted are the channels of these followers that are not subscribed. Followers whose channel is
// subscribed already, for other ones, are told so.
func (n *node) wanted(followers []*follower) (all []wanted) {
	names := &n.source.names
	shared := map[string]int{} // index in all, by channel
	for _, f := range followers {
		epoch, ok := f.joins(n)
		if !ok {
			continue
		}
		j, channel := joining{f, epoch}, names.subscription(f.topic.Name())
		if !names.shared() {
			all = append(all, wanted{channel, []joining{j}})
		} else if n.has(channel) {
			f.subscribed(n, epoch)
		} else if k, ok := shared[channel]; ok {
			all[k].by = append(all[k].by, j)
		} else {
			shared[channel] = len(all)
			all = append(all, wanted{channel, []joining{j}})
		}
	}
	return all
}

// has reports whether a shared channel is subscribed.
func (n *node) has(channel string) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	_, ok := n.shared[channel]
	return ok
}

// groups are what one command can subscribe: in a cluster, what is of one slot.
func (n *node) groups(channels []wanted) (all [][]wanted) {
	if len(channels) == 0 {
		return nil
	}
	if !n.source.sharded() {
		return [][]wanted{channels}
	}
	bySlot := map[uint16][]wanted{}
	for _, w := range channels {
		slot := slotOf(w.channel)
		bySlot[slot] = append(bySlot[slot], w)
	}
	for _, group := range bySlot {
		all = append(all, group)
	}
	return all
}

// subscribeProbe subscribes the channel of messages to oneself.
func (n *node) subscribeProbe(ctx context.Context, c rueidis.DedicatedClient) error {
	within, cancel := context.WithTimeout(ctx, n.source.config.Timeout)
	defer cancel()
	channel := *n.probe.Load()
	if n.source.sharded() {
		return c.Do(within, c.B().Ssubscribe().Channel(channel).Build()).Error()
	}
	return c.Do(within, c.B().Subscribe().Channel(channel).Build()).Error()
}

func (n *node) subscribing(c rueidis.DedicatedClient, channels []string) rueidis.Completed {
	if n.source.sharded() {
		return c.B().Ssubscribe().Channel(channels...).Build()
	}
	return c.B().Subscribe().Channel(channels...).Build()
}

// subscribeAll sends one command for each group. If the server refuses one because of a channel,
// the others are subscribed without that; if a slot has moved, its channels are joined again when
// it is known where to.
func (n *node) subscribeAll(ctx context.Context, c rueidis.DedicatedClient,
	groups [][]wanted) error {
	if len(groups) == 0 {
		return nil
	}
	var commands []rueidis.Completed
	for _, group := range groups {
		channels := make([]string, len(group))
		for i, w := range group {
			channels[i] = w.channel
		}
		commands = append(commands, n.subscribing(c, channels))
	}
	n.mu.Lock()
	losses := n.losses
	n.mu.Unlock()
	within, cancel := context.WithTimeout(ctx, n.source.config.Timeout)
	defer cancel()
	var single [][]wanted
	for k, result := range c.DoMulti(within, commands...) {
		group, err := groups[k], result.Error()
		if err == nil {
			n.subscribed(group, losses)
			continue
		}
		if _, refused := rueidis.IsRedisErr(err); !refused {
			return err
		}
		n.source.counts.failed(opSubscribe, err)
		switch {
		case passing(err) && !n.source.sharded(), ofACommand(err):
			// no other server has it, or it is of all channels
			return err
		case passing(err):
			n.settleAgain(group)
		case len(group) > 1:
			for _, w := range group {
				single = append(single, []wanted{w})
			}
		default:
			w := group[0]
			n.source.counts.refused.Add(1)
			n.source.troubles.channels.fails(n.source.config.Logger, n.source.hinted,
				slog.LevelWarn, "the server refuses a subscription: the topic's streams wait", err,
				"channel", w.channel)
			time.AfterFunc(channelPause, func() {
				for _, j := range w.by {
					n.join(j.follower)
				}
			})
		}
	}
	return n.subscribeAll(ctx, c, single)
}

// settleAgain asks again for the slots, to find out where these channels are to be subscribed.
func (n *node) settleAgain(group []wanted) {
	for _, w := range group {
		for _, j := range w.by {
			n.source.stray(j.follower)
		}
	}
	n.source.refreshSlots()
}

// subscribed tells the followers of these channels that they are subscribed. losses is what
// n.losses was when the command was sent. If it has changed, a shared channel was lost since,
// perhaps one of these: then they are subscribed again.
func (n *node) subscribed(group []wanted, losses uint64) {
	if n.source.names.shared() {
		n.mu.Lock()
		lost := n.losses != losses
		for _, w := range group {
			if !lost && n.shared != nil {
				n.shared[w.channel] = struct{}{}
			}
		}
		n.mu.Unlock()
		if lost {
			n.settleAgain(group)
			return
		}
	}
	for _, w := range group {
		for _, j := range w.by {
			j.follower.subscribed(n, j.epoch)
		}
	}
}

// unsubscribe drops channels whose topics are not followed again.
func (n *node) unsubscribe(ctx context.Context, c rueidis.DedicatedClient,
	channels []string) error {
	within, cancel := context.WithTimeout(ctx, n.source.config.Timeout)
	defer cancel()
	if !n.source.sharded() {
		return c.Do(within, c.B().Unsubscribe().Channel(channels...).Build()).Error()
	}
	bySlot := map[uint16][]string{}
	for _, channel := range channels {
		slot := slotOf(channel)
		bySlot[slot] = append(bySlot[slot], channel)
	}
	for _, names := range bySlot {
		err := c.Do(within, c.B().Sunsubscribe().Channel(names...).Build()).Error()
		if _, refused := rueidis.IsRedisErr(err); err != nil && !refused {
			// a slot that has moved has nothing here
			return err
		}
	}
	return nil
}
