package auth

import (
	"bytes"
	"fmt"
	"strings"
)

// Pattern names one topic, or with a * at its end all topics that begin so.
type Pattern struct {
	text   []byte
	prefix bool
}

// ParsePattern reads a pattern. A * anywhere but at the end is an error.
func ParsePattern(s string) (Pattern, error) {
	text, prefix := strings.CutSuffix(s, "*")
	if strings.Contains(text, "*") || s == "" {
		return Pattern{},
			fmt.Errorf("topic pattern %q: expected a topic name, or the beginning of one and a * at the end",
				s)
	}
	return Pattern{[]byte(text), prefix}, nil
}

// Match reports whether the pattern names the topic.
func (p Pattern) Match(topic []byte) bool {
	if p.prefix {
		return bytes.HasPrefix(topic, p.text)
	}
	return bytes.Equal(topic, p.text)
}

// Patterns is several patterns, any of which may match.
type Patterns []Pattern

// ParsePatterns reads a list of patterns.
func ParsePatterns(list []string) (Patterns, error) {
	var all Patterns
	for _, s := range list {
		p, err := ParsePattern(s)
		if err != nil {
			return nil, err
		}
		all = append(all, p)
	}
	return all, nil
}

// Match reports whether any of the patterns names the topic.
func (ps Patterns) Match(topic []byte) bool {
	for _, p := range ps {
		if p.Match(topic) {
			return true
		}
	}
	return false
}
