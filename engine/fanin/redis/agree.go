package redis

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"

	"github.com/redis/rueidis"
)

// Edges and publishers that share topics must use the same names for them. Otherwise what one
// publishes would never come to the others, and nothing would show it. So live edges write their
// fan-in under the key ssedge:<prefix>fanin, and another one does not start.
//
// In other settings they may differ while these are being changed, so that is not refused. But it
// is logged, with the edges' names, the settings and both values: until all are the same, one edge
// cuts what another keeps, or refuses what another takes.

// fanInSettings is this edge's fan-in.
func (c *Config) fanInSettings() string {
	if c.FanIn == ByPartition {
		return fmt.Sprintf("--fan-in=%s --partitions=%d", c.FanIn, c.Partitions)
	}
	return "--fan-in=" + string(c.FanIn)
}

// publishing is what all must agree in that publish: each publish cuts a topic's history by it.
func (c *Config) publishing() map[string]string {
	return map[string]string{
		"--history-events": fmt.Sprint(c.HistoryEvents), "--history-age": c.HistoryAge.String(),
		"--redis-ttl": c.TTL.String(), "--key-ttl": c.KeyTTL.String(),
		"--topic-bytes": fmt.Sprint(c.Rule.TopicBytes),
		"--event-bytes": fmt.Sprint(c.Rule.EventBytes), "--key-bytes": fmt.Sprint(c.Rule.KeyBytes),
	}
}

// agreed is what edges must agree in, besides the fan-in: a client may go from one to another, and
// each removes what others have not renewed in its own time.
func (c *Config) agreed() map[string]string {
	all := c.publishing()
	all["--history-bytes"], all["--redis-presence"] = fmt.Sprint(c.HistoryBytes),
		c.PresenceEvery.String()
	maps.Copy(all, c.Clients)
	return all
}

// differences says in which settings others differ; "" if in none that both have.
func differences(here, there map[string]string) string {
	var all []string
	for _, name := range slices.Sorted(maps.Keys(here)) {
		if value, ok := there[name]; ok && value != here[name] {
			all = append(all, fmt.Sprintf("%s is %s there, %s here", name, value, here[name]))
		}
	}
	return strings.Join(all, "; ")
}

const settingsSeparator = "; "

// retentionSettings is what is published with, as a text; settingsOf reads it.
func (c *Config) retentionSettings() string {
	var all []string
	publishing := c.publishing()
	for _, name := range slices.Sorted(maps.Keys(publishing)) {
		all = append(all, name+"="+publishing[name])
	}
	return strings.Join(all, " ")
}

func settingsOf(keeps string) map[string]string {
	all := map[string]string{}
	for _, field := range strings.Fields(keeps) {
		name, value, _ := strings.Cut(field, "=")
		all[name] = value
	}
	return all
}

// agree returns errUnfit if other edges have another fan-in, otherwise nil. It is nil, too, if the
// servers cannot be asked. An edge claims its way at once, so that of two that begin together one
// is refused.
func (s *Source) agree(ctx context.Context, client rueidis.Client) error {
	key := s.presenceKey("fanin")
	own := s.config.fanInSettings() + settingsSeparator + s.config.retentionSettings()
	if s.config.PresenceEvery > 0 {
		client.Do(ctx, client.B().Set().Key(key).Value(own).Nx().ExSeconds(s.presenceTTL()).Build())
	}
	text, err := client.Do(ctx, client.B().Get().Key(key).Build()).ToString()
	way, keeps, ok := strings.Cut(text, settingsSeparator)
	switch {
	case err != nil || !ok:
		return nil
	case way != s.config.fanInSettings():
		return fmt.Errorf("%w: edges there have %s, this is %s", errUnfit, way,
			s.config.fanInSettings())
	}
	if text != own {
		s.looks = 0 // for whose these are
		if differ := differences(s.config.publishing(), settingsOf(keeps)); differ != "" &&
			s.config.PresenceEvery == 0 {
			s.config.Logger.Warn("the edges have other settings: this publisher cuts history that they keep, or refuses what they take",
				"settings", differ)
		}
	}
	return nil
}

// publishSettings writes how it is done here. It lasts as long as what else this edge says.
func (s *Source) publishSettings(ctx context.Context) error {
	if err := s.agree(ctx, s.client); err != nil {
		s.troubles.fanIn.fails(s.config.Logger, s.hinted, slog.LevelError,
			"other edges use another fan-in: change theirs or this edge's", err)
		return nil
	}
	s.troubles.fanIn.ends(s.config.Logger, "all edges use the same fan-in again")
	return s.client.Do(ctx, s.client.B().Set().Key(s.presenceKey("fanin")).
		Value(s.config.fanInSettings()+settingsSeparator+s.config.retentionSettings()).
		ExSeconds(s.presenceTTL()).Build()).Error()
}

// lookEvery is how many words of this edge pass between two looks at the settings of others, if the
// common key shows no difference.
const lookEvery = 6

// compare logs in which settings other edges differ, when that has changed. It is presence's own.
func (s *Source) compare(ctx context.Context) error {
	s.looks--
	if s.looks > 0 {
		return nil
	}
	s.looks = lookEvery
	edges, err := s.Edges(ctx)
	if err != nil {
		return err
	}
	here, found := s.config.agreed(), map[string][]string{} // names of edges, by their differences
	for _, e := range edges {
		if differ := differences(here, e.Settings); e.Instance != s.instance && differ != "" {
			found[differ] = append(found[differ], e.Name)
		}
	}
	n := 0
	now := map[string]string{}
	for differ, names := range found {
		n += len(names)
		now[differ] = strings.Join(names, ", ")
	}
	s.counts.differing.Store(int64(n))
	for _, differ := range slices.Sorted(maps.Keys(now)) {
		if s.differed[differ] != now[differ] {
			s.config.Logger.Warn("settings differ between edges: make them equal", "edges",
				now[differ], "settings", differ)
		}
	}
	if n == 0 && len(s.differed) > 0 {
		s.config.Logger.Info("all edges have the same settings again")
	}
	s.differed = now
	return nil
}
