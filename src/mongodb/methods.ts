/**
 * The methods of a `Collection` that resolve with one result, each with the position of the options
 * among its arguments.
 */
export const OPTIONS_POSITION = {
  insertOne: 1,
  insertMany: 1,
  bulkWrite: 1,
  updateOne: 2,
  updateMany: 2,
  replaceOne: 2,
  deleteOne: 1,
  deleteMany: 1,
  findOneAndUpdate: 2,
  findOneAndReplace: 2,
  findOneAndDelete: 1,
  countDocuments: 1,
  estimatedDocumentCount: 0,
  findOne: 1,
  distinct: 2,
} as const;
