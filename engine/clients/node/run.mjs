// node run.mjs CLIENT '{"url": …, "key": …, "names": […]}' has one client follow a stream, and
// prints what the client hands out, a line of JSON for each thing.
const [, , client, options] = process.argv
const say = (what, more = {}) => process.stdout.write(JSON.stringify({ what, ...more }) + '\n')
process.on('uncaughtException', e => { say('ended', { why: 'uncaught: ' + e }); process.exit(1) })
const { default: follow } = await import(`./clients/${client}.mjs`)
follow(JSON.parse(options), say)
setInterval(() => {}, 1 << 30) // some timers of clients do not keep the process alive
