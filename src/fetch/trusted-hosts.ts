/** The option `trusted`: which servers get the deadline and the values. */
import { show } from "../internal.ts";

/** Whether a URL belongs to a trusted server. */
export type IsTrusted = (url: URL) => boolean;

const FORM = `pass a list of hosts, as in trusted: ["api.internal", "api.internal:8080", "*.svc.internal"], or a function of the URL`;

/** Checks the option `trusted` of `caller`. Throws a TypeError if it is neither hosts nor a function. */
export function trustedHosts(trusted: unknown, caller: string): IsTrusted {
  if (typeof trusted === "function") return trusted as IsTrusted;
  if (!Array.isArray(trusted)) {
    throw new TypeError(`${caller} got ${show(trusted)} for the option trusted; ${FORM}`);
  }
  const matchers = trusted.map((entry: unknown) => hostMatcher(entry, caller));
  return (url) => matchers.some((matches) => matches(url));
}

/** Matches strictly: an entry that is not understood must not trust more hosts than were meant. */
function hostMatcher(entry: unknown, caller: string): IsTrusted {
  const [, below, name = "", port] =
    (typeof entry === "string" && /^(\*\.)?(\[[^\]]+\]|[^:/?#@\\*\s]+)(?::(\d+))?$/.exec(entry)) ||
    [];
  // In lower case and Punycode, as in other URLs.
  const hostname = URL.canParse(`http://${name}`) ? new URL(`http://${name}`).hostname : "";
  // People who write ".a" mean all names below, and it would match none.
  if (hostname === "" || /^\.|\.\./.test(hostname)) {
    throw new TypeError(
      `${caller} got ${show(entry)} in the option trusted, which is not a host; ${FORM}`,
    );
  }
  return (url) => {
    if (url.protocol !== "http:" && url.protocol !== "https:") return false;
    if (port !== undefined && Number(port) !== portOf(url)) return false;
    return below === undefined ? url.hostname === hostname : url.hostname.endsWith(`.${hostname}`);
  };
}

function portOf(url: URL): number {
  return Number(url.port || (url.protocol === "https:" ? 443 : 80));
}
