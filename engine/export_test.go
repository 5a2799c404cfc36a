package engine

import "ssedge/shard/topic"

// Table has the topics.
func (e *Engine) Table() *topic.Table { return e.group.Table() }

// Sends returns how many sends all shards have made: the clock of tests that must
// not look at the wall.
func (e *Engine) Sends() (n uint64) {
	for _, s := range e.group.Stats() {
		n += s.Sends.Load()
	}
	return n
}

// MetricHelp has the names of all metrics of ours, also of those that are not there
// before something has happened.
var MetricHelp = metricHelp

// Of the budget, what tests hold against what is taken.
var OvercommittedBy = overcommitted

func (c *Config) ReservedFiles() int { return c.reservedFiles() }
