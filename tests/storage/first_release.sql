-- A store as release 0.1.0 left it (its own code wrote it). The sessions' tokens are 43 times j, and k.
PRAGMA application_id = 1397968711;
PRAGMA user_version = 1;
BEGIN TRANSACTION;
CREATE TABLE sessions (
        key TEXT PRIMARY KEY, subject TEXT NOT NULL REFERENCES users ON DELETE CASCADE,
        method TEXT NOT NULL, proof TEXT NOT NULL, opened_at INTEGER NOT NULL,
        seen_at INTEGER NOT NULL, expires_at INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
INSERT INTO "sessions" VALUES('347dc1459282d0ce2ef1f3c7b2941612098a797344f7fe0ae3d69f07138098a0','00000000-0000-4000-8000-000000000001','members','link:members:1',1750000001,1750000001,4000000000);
INSERT INTO "sessions" VALUES('a0484a6185b324e2f355194f334482fc79194cd805185155ddcf6804fdb9090a','00000000-0000-4000-8000-000000000001','members','link:members:2',1750000002,1750000002,4000000000);
CREATE TABLE spent (key TEXT PRIMARY KEY, until INTEGER NOT NULL) STRICT, WITHOUT ROWID;
INSERT INTO "spent" VALUES('link:members:spent',4000000000);
CREATE TABLE users (
        subject TEXT PRIMARY KEY, canonical TEXT NOT NULL UNIQUE, username TEXT NOT NULL,
        name TEXT NOT NULL, email TEXT NOT NULL, groups TEXT NOT NULL, active INTEGER NOT NULL,
        source TEXT NOT NULL, created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
INSERT INTO "users" VALUES('00000000-0000-4000-8000-000000000001','joe','Joe','Joe Doe','Joe@Example.COM','authors,staff',1,'members',1750000001,1750000002);
INSERT INTO "users" VALUES('00000000-0000-4000-8000-000000000002','sue','sue','Süe „Quote“ O''Neil','sue@bücher.example','ünï',1,'',1750000002,1750000004);
INSERT INTO "users" VALUES('00000000-0000-4000-8000-000000000003','max','max','','','',0,'members',1750000003,1750000006);
INSERT INTO "users" VALUES('00000000-0000-4000-8000-000000000004','böse@example.com','Böse@Example.com','','böse@example.com','',1,'partners',1750000004,1750000008);
INSERT INTO "users" VALUES('00000000-0000-4000-8000-000000000005','old','old','','not an address','',1,'members',1750000005,1750000010);
INSERT INTO "users" VALUES('00000000-0000-4000-8000-000000000006','twin','twin','','joe@example.com','',1,'members',1750000006,1750000012);
CREATE INDEX sessions_subject ON sessions (subject);
CREATE INDEX sessions_expires_at ON sessions (expires_at);
CREATE INDEX sessions_seen_at ON sessions (seen_at);
CREATE INDEX spent_until ON spent (until);
COMMIT;
