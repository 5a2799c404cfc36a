package main

import (
	"strings"
	"testing"
)

// TestNamesThatLookLikePatterns get a hint, from every command that takes names; others get none.
func TestNamesThatLookLikePatterns(t *testing.T) {
	for topic, says := range map[string]string{
		"a*": "nothing in a name stands for others", "*": "stands for others",
		"a/#": "stands for others", "a/+/b": "stands for others", "a.>": "stands for others",
		"#":   "stands for others",
		"a,b": "arguments of their own", " a": "blanks count", "a ": "blanks count",
		"a": "", "c++": "", "c#": "", "a->b": "", "a/b.c:d e": "", "a?": "",
	} {
		var said strings.Builder
		if hintAtNames(&said, "several are arguments of their own", topic); !strings.Contains(
			said.String(), says) || says == "" && said.Len() > 0 {
			t.Errorf("%q: found %q, expected %q in it", topic, said.String(), says)
		}
	}
	_, url, _ := serve(t, "--dev")
	if out, errors, code := run(t, "publish", "a*", "x", "--server="+url); code != 0 || out == "" ||
		!strings.Contains(errors, `"a*" is the name of one topic`) {
		t.Errorf("exit code %d, %q, %q", code, out, errors)
	}
	if _, errors, code := run(t, "publish", "a,b", "x", "--server="+url); code != 0 ||
		!strings.Contains(errors, "publish to several topics one by one") ||
		strings.Contains(errors, "arguments") {
		t.Errorf("exit code %d, %q: the second argument of publish is the data", code, errors)
	}
	p := start(t, "subscribe", "a,b", "--server="+url)
	p.awaitSaid(`"a,b" is the name of one topic`)
	if _, errors, code := run(t, "subscribe", "a*", "-q", "--last-event-id=earliest", "--count=1",
		"--server="+url); code != 0 || errors != "" {
		t.Errorf("quietly: exit code %d, %q", code, errors)
	}
}
