import { tmpdir } from "node:os";
import { startGuardian } from "./guardian.ts";

/** A temporary directory that is removed when this process ends, even by SIGKILL. */
export interface TemporaryDirectory {
  readonly path: string;
  /** Removes the directory. Resolves when it is gone. Never rejects. May be called again. */
  remove(): Promise<void>;
}

/** Creates an empty directory, mode 0700, under `os.tmpdir()`. It does not keep the process alive. */
export async function temporaryDirectory(): Promise<TemporaryDirectory> {
  const guardian = await startGuardian(tmpdir(), undefined);
  guardian.ref(false);
  return {
    path: guardian.directory,
    remove: () => {
      guardian.ref(true);
      guardian.release();
      return guardian.gone;
    },
  };
}
