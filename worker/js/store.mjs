// store.mjs: Metro's transforms in a folder, one file each, in the layout of Metro's own FileStore.
//
// That one asks the thread pool four times for each file. Five hundred small files are read ten times as
// fast in one go, and in a warm build nothing else is there to be done meanwhile.
import fs from 'node:fs';
import path from 'node:path';

const RAW = Buffer.from([0]); // marks bytes as they are; a value without it is JSON

function valueOf(data) {
  return data[0] === RAW[0] ? data.subarray(1) : JSON.parse(data.toString('utf8'));
}

export class FolderStore {
  name = 'folder';

  constructor(folder) {
    this.folder = folder;
  }

  fileOf(key) {
    return path.join(this.folder, key.subarray(0, 1).toString('hex'), key.subarray(1).toString('hex'));
  }

  // Null: it is not there, or cut off.
  get(key) {
    try {
      return valueOf(fs.readFileSync(this.fileOf(key)));
    } catch (error) {
      if (error.code === 'ENOENT' || error instanceof SyntaxError) {
        return null;
      }
      throw error;
    }
  }

  async set(key, value) {
    const file = this.fileOf(key);
    const data = Buffer.isBuffer(value) ? Buffer.concat([RAW, value]) : (JSON.stringify(value) ?? 'null');
    await fs.promises.mkdir(path.dirname(file), {recursive: true});
    await fs.promises.writeFile(file, data);
  }

  clear() {}
}
