package redis

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"slices"
	"strconv"
	"time"

	"github.com/redis/rueidis"

	"ssedge/engine/fanin"
)

// Each edge says in Redis that it lives and how many subscribers it has of which topic, so that any
// edge can tell it of all of them:
//
//	ssedge:<prefix>edges           sorted set: names, by the time they were last heard of
//	ssedge:<prefix>edge:<name>     what the edge says of itself, JSON; it expires
//	ssedge:<prefix>topics:<name>   hash: subscribers by topic; it expires
//	ssedge:<prefix>fanin           see agree
//
// Only what has changed is written. What an edge has said goes when three words of it are missing.

// presenceBatch is how many fields one command writes.
const presenceBatch = 500

func (s *Source) presenceKey(what string) string { return "ssedge:" + s.config.Prefix + what }

// presence says what this edge has, until ctx ends; then it takes its leave.
func (s *Source) presence(ctx context.Context) {
	for first := true; first || sleep(ctx, s.config.PresenceEvery); first = false {
		within, cancel := context.WithTimeout(ctx, s.config.PresenceEvery)
		if err := s.writePresence(within); err == nil {
			s.troubles.presence.ends(s.config.Logger, "this edge is shown to others again")
		} else if ctx.Err() == nil {
			s.counts.failed(opPresence, err)
			s.told.Store(false)
			s.troubles.presence.fails(s.config.Logger, s.hinted, slog.LevelWarn,
				"this edge's subscriber counts cannot be written to Redis: other edges show old ones or none",
				err)
		}
		cancel()
	}
	if s.connected.Load() {
		within, cancel := context.WithTimeout(context.Background(), s.config.Timeout/2)
		defer cancel()
		b := s.client.B
		s.client.DoMulti(within,
			b().Zrem().Key(s.presenceKey("edges")).Member(s.config.Edge).Build(),
			b().Del().Key(s.presenceKey("edge:"+s.config.Edge)).Build(),
			b().Del().Key(s.presenceKey("topics:"+s.config.Edge)).Build(),
		)
	}
}

// presenceTTL is how long what is said stays, in seconds.
func (s *Source) presenceTTL() int64 {
	return seconds(3 * s.config.PresenceEvery)
}

// writePresence writes what has changed since the last time; all of it, if that is gone.
func (s *Source) writePresence(ctx context.Context) error {
	if err := s.publishSettings(ctx); err != nil {
		return err
	}
	key := s.presenceKey("topics:" + s.config.Edge)
	kept, err := s.client.Do(ctx, s.client.B().Expire().Key(key).Seconds(s.presenceTTL()).Build()).
		AsBool()
	if err != nil {
		return err
	}
	all := !kept || !s.told.Load()
	gone := s.forgotten.take()
	if all { // the key may hold topics that this edge has forgotten
		if err := s.client.Do(ctx, s.client.B().Del().Key(key).Build()).Error(); err != nil {
			return err
		}
		gone = nil
	}
	for batch := range slices.Chunk(gone, presenceBatch) {
		// first: the same names may be there again
		if err := s.client.Do(ctx, s.client.B().Hdel().Key(key).Field(batch...).Build()).
			Error(); err != nil {
			return err
		}
		for _, name := range batch {
			if f := s.followerOf(name); f != nil {
				f.told.Store(-1) // whatever was said of it is gone, too
			}
		}
	}
	var changed []*follower
	for _, f := range s.followers() {
		n := int32(f.topic.Holders())
		if f.told.Swap(n) == n && (!all || n == 0) {
			continue
		}
		if changed = append(changed, f); len(changed) == presenceBatch {
			if err := s.writeCounts(ctx, key, changed); err != nil {
				return err
			}
			changed = changed[:0]
		}
	}
	if err := s.writeCounts(ctx, key, changed); err != nil {
		return err
	}
	text, err := json.Marshal(fanin.Edge{
		Name: s.config.Edge, Instance: s.instance, Version: s.config.Version,
		Streams: s.config.Streams(), Topics: s.table.Topics(),
		Seen: time.Now().UTC().Truncate(time.Second), Settings: s.config.agreed(),
	})
	if err != nil {
		return err
	}
	s.warnDuplicateName(ctx)
	b := s.client.B
	ttl := time.Duration(s.presenceTTL()) * time.Second
	for _, r := range s.client.DoMulti(ctx,
		b().Expire().Key(key).Seconds(s.presenceTTL()).Build(),
		b().Set().Key(s.presenceKey("edge:"+s.config.Edge)).Value(string(text)).Ex(ttl).Build(),
		b().Zadd().Key(s.presenceKey("edges")).ScoreMember().ScoreMember(float64(time.Now().Unix()),
			s.config.Edge).Build(),
		b().Expire().Key(s.presenceKey("edges")).Seconds(2*s.presenceTTL()).Build(),
		b().Zremrangebyscore().Key(s.presenceKey("edges")).Min("-inf").
			Max(strconv.FormatInt(time.Now().Add(-2*ttl).Unix(), 10)).Build(),
	) {
		if err := r.Error(); err != nil {
			return err
		}
	}
	s.told.Store(true)
	if err := s.compare(ctx); err != nil {
		s.counts.failed(opPresence, err)
		s.troubles.compare.fails(s.config.Logger, s.hinted, slog.LevelWarn,
			"the settings of other edges cannot be read from Redis: differences are not told", err)
	} else {
		s.troubles.compare.ends(s.config.Logger, "the settings of other edges can be read again")
	}
	return nil
}

// writeCounts writes how many subscribers these topics have.
func (s *Source) writeCounts(ctx context.Context, key string, followers []*follower) error {
	s.counts.told.Add(uint64(len(followers)))
	set, some := s.client.B().Hset().Key(key).FieldValue(), false
	var gone []string
	for _, f := range followers {
		if n := f.told.Load(); n > 0 {
			set, some = set.FieldValue(f.topic.Name(), strconv.Itoa(int(n))), true
		} else {
			gone = append(gone, f.topic.Name())
		}
	}
	if len(gone) > 0 {
		if err := s.client.Do(ctx, s.client.B().Hdel().Key(key).Field(gone...).Build()).
			Error(); err != nil {
			return err
		}
	}
	if !some {
		return nil
	}
	return s.client.Do(ctx, set.Build()).Error()
}

var errNamesake = errors.New("two edges have one name")

// warnDuplicateName warns of another edge that has the same name: what both say would be the one's,
// then the other's.
func (s *Source) warnDuplicateName(ctx context.Context) {
	if !s.told.Load() { // what is there may be what this one said before it was started again
		return
	}
	text, err := s.client.Do(ctx, s.client.B().Get().Key(s.presenceKey("edge:"+s.config.Edge)).
		Build()).ToString()
	var e fanin.Edge
	if err == nil && json.Unmarshal([]byte(text), &e) == nil && e.Instance != "" &&
		e.Instance != s.instance {
		s.troubles.namesake.fails(s.config.Logger, asItIs, slog.LevelWarn,
			"another edge has the same name, expected one for each (--edge)", errNamesake, "edge",
			s.config.Edge)
	} else if err == nil {
		s.troubles.namesake.ends(s.config.Logger, "no other edge has the same name any more")
	}
}

// Edges returns those that live, by name.
func (s *Source) Edges(ctx context.Context) ([]fanin.Edge, error) {
	if !s.connected.Load() {
		return nil, ErrUnavailable
	}
	names, err := s.client.Do(ctx, s.client.B().Zrange().Key(s.presenceKey("edges")).Min("0").
		Max("-1").Build()).AsStrSlice()
	if err != nil {
		return nil, err
	}
	slices.Sort(names)
	all := []fanin.Edge{}
	var commands []rueidis.Completed
	for _, name := range names {
		commands = append(commands, s.client.B().Get().Key(s.presenceKey("edge:"+name)).Build())
	}
	for k, r := range s.client.DoMulti(ctx, commands...) {
		text, err := r.ToString()
		if rueidis.IsRedisNil(err) {
			continue // it has said nothing for long
		}
		if errorKind(err) == "wrongtype" { // it is another program's
			s.counts.failed(opPresence, err)
			s.troubles.foreign.fails(s.config.Logger, asItIs, slog.LevelWarn,
				"an edge is not shown: its key has another type", err, "key",
				s.presenceKey("edge:"+names[k]))
			continue
		}
		if err != nil {
			return nil, err
		}
		var e fanin.Edge
		if json.Unmarshal([]byte(text), &e) == nil {
			all = append(all, e)
		}
	}
	return all, nil
}
