// Package setting reads what the tags of a struct say of settings. A package declares its settings
// as a group, a struct beside what they set, with a field for each:
//
//	type Delivery struct {
//		Heartbeat time.Duration `default:"25s" range:"0 or 1ms..500h" unit:"1ms" help:"…"`
//		RestBytes int64         `type:"size" default:"64MiB" range:"0.." metric:"half_sent_bytes_max" help:"…"`
//	}
//
// engine.Config embeds the groups. From the tags follow
//
//   - the flag, its variable and its name in the file of settings: the field's name in kebab case,
//     or name (the command line is kong's, which also reads type, default, enum and help);
//   - the value before anything is set: default ([Default]);
//   - what is refused: range, "LEAST..MOST" or "LEAST..", with "0 or " in front where 0 means
//     none; unit, of which a time must be a multiple ([Check]);
//   - the gauge that tells the bound: metric, without ssedge_ in front, or "-" for a number that
//     bounds nothing, or whose gauge is more than its value (InboxMax). Its HELP is help.
//
// What one setting cannot say by itself is in the Check of its group, and relations between groups
// are in engine.Config.Check.
package setting
