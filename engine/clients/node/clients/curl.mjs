import { spawn } from 'node:child_process'

// curl knows nothing of events, and its own --retry does not resume: the loop around it throws
// half an event away and comes back with the last id.
export default async ({ url, key }, say) => {
  let id = ''
  for (;;) {
    const headers = [id && `Last-Event-ID: ${id}`, key && `Authorization: Bearer ${key}`].filter(Boolean)
    const curl = spawn('curl', ['-sNf', ...headers.flatMap(h => ['-H', h]), url], { stdio: ['ignore', 'pipe', 'inherit'] })
    process.once('exit', () => curl.kill())
    const ended = new Promise(resolve => curl.on('close', resolve))
    let block = {}
    curl.stdout.setEncoding('utf8')
    let rest = ''
    for await (const text of curl.stdout) {
      const lines = (rest + text).split('\n')
      rest = lines.pop()
      for (const line of lines) {
        const [, field, value] = /^([^:]*):? ?(.*)$/s.exec(line)
        if (line !== '') {
          if (field) block[field] = field === 'data' && 'data' in block ? block.data + '\n' + value : value
          continue
        }
        if ('data' in block) say('message', { type: block.event ?? 'message', data: block.data, id: block.id ?? '' })
        id = block.id ?? id
        block = {}
      }
    }
    say('error', { why: `curl exited with ${await ended}` })
    await new Promise(resolve => setTimeout(resolve, 300))
  }
}
