/** What to do when there is nothing to show yet: how call records get here, ready to be pasted. Browser. */

export function Feeding({ what }: { what: string }) {
  const server = location.origin
  return (
    <div class="nothing feeding">
      <p>{what}</p>
      <ol>
        <li>
          Make a key for your switch: <code>npx voicefw key create --role ingest --name switch</code>
        </li>
        <li>
          Push its call records. One by hand, in the canonical form:
          <pre>{curlOf(server)}</pre>
          Sources for FreeSWITCH, Asterisk, OpenSIPS, Kamailio, Cisco, BroadWorks and Twilio lie in{' '}
          <code>configs/sources</code>; name one as <code>source=</code>.
        </li>
        <li>
          Or let the simulator play switches, with some fraud among them:
          <pre>{`npx voicefw simulate cdr --url ${server} --key env:KEY --rate 50 --seconds 600`}</pre>
        </li>
      </ol>
    </div>
  )
}

function curlOf(server: string): string {
  const startMs = Date.now() - 60_000
  const record = {
    id: `hello-${startMs}`,
    startUs: startMs * 1000,
    answerUs: null,
    endUs: (startMs + 4000) * 1000,
    from: '12025550123',
    to: '12025550188',
  }
  return [
    `curl '${server}/v1/cdr?source=canonical' \\`,
    `  -H "Authorization: Bearer $KEY" -H "Content-Type: application/json" \\`,
    `  -d '${JSON.stringify(record)}'`,
  ].join('\n')
}
