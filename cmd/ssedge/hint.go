package main

import (
	"fmt"
	"io"
	"regexp"
	"strings"
)

// looksLikePattern finds what stands for other topics elsewhere: * here in --anonymous, # and + in MQTT, > in NATS.
var looksLikePattern = regexp.MustCompile(`\*|(^|[/.])[#+>]($|[/.])`)

// hintAtNames says that topics which look like a pattern or a list are names. They are allowed, so nothing else would.
func hintAtNames(w io.Writer, topics ...string) {
	for _, topic := range topics {
		switch {
		case looksLikePattern.MatchString(topic):
			fmt.Fprintf(w, "ssedge: %.80q is the name of one topic: nothing in a name stands for others\n", topic)
		case strings.Contains(topic, ","):
			fmt.Fprintf(w, "ssedge: %.80q is the name of one topic: several are arguments of their own\n", topic)
		case strings.Trim(topic, " ") != topic:
			fmt.Fprintf(w, "ssedge: %.80q is the name of a topic: blanks count\n", topic)
		}
	}
}
