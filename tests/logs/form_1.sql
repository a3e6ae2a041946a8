-- A log of the first form: its trials have no source.
PRAGMA application_id = 1094996805;
PRAGMA user_version = 1;
BEGIN TRANSACTION;
CREATE TABLE study (
	id INTEGER NOT NULL, 
	name TEXT NOT NULL, 
	schema_version INTEGER NOT NULL, 
	fingerprint TEXT NOT NULL, 
	problem TEXT NOT NULL, 
	optimizer TEXT NOT NULL, 
	optimizer_options TEXT NOT NULL, 
	seed BIGINT NOT NULL, 
	simulator TEXT NOT NULL, 
	simulator_version TEXT NOT NULL, 
	simulator_options TEXT NOT NULL, 
	package_version TEXT NOT NULL, 
	created DOUBLE NOT NULL, 
	PRIMARY KEY (id), 
	UNIQUE (name)
);
INSERT INTO "study" VALUES(1,'',1,'930047ae67335f9847e8848a0c3f674ac452dd5924063b476ee26f71c4a39e7c','{"limits": ["area_mm2<=27"], "objectives": ["minimize latency_ms"], "space": "toy"}','random','{}',3,'toy','1','{}','',1.79541446598698496814e+09);
CREATE TABLE trial (
	study_id INTEGER NOT NULL, 
	idx INTEGER NOT NULL, 
	design TEXT NOT NULL, 
	outcome TEXT NOT NULL, 
	metrics TEXT NOT NULL, 
	reason TEXT NOT NULL, 
	started DOUBLE NOT NULL, 
	ended DOUBLE NOT NULL, 
	host TEXT NOT NULL, 
	sha256 TEXT NOT NULL, 
	PRIMARY KEY (study_id, idx), 
	FOREIGN KEY(study_id) REFERENCES study (id)
);
INSERT INTO "trial" VALUES(1,0,'{"pes": 8, "clock_ghz": 0.30000000000000004, "order": ["K", ["C", 2]], "on": true}','feasible','{"latency_ms": 0.3333333333333333, "area_mm2": 5e-324}','',1.70000000033333325383e+09,1.70000000066666674615e+09,'a.host','6117e40c5d0cc0e1bdbadf8f91e55c2894a9c44456db4336e03af22593806f33');
INSERT INTO "trial" VALUES(1,1,'{"pes": 1}','failed','{}','café ☕: line 1
line 2',0.0,0.0,'','508bac20b8c7c4c40798c9670e376704e726fdae84dace4feb12b49fdedc07ae');
CREATE TABLE writer (
	study_id INTEGER NOT NULL, 
	token TEXT NOT NULL, 
	host TEXT NOT NULL, 
	pid BIGINT NOT NULL, 
	boot TEXT NOT NULL, 
	namespace TEXT NOT NULL, 
	started BIGINT NOT NULL, 
	PRIMARY KEY (study_id), 
	FOREIGN KEY(study_id) REFERENCES study (id)
);
COMMIT;
