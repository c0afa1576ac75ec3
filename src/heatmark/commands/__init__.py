"""One file a verb: each joins the rooms below into what a person asks for, and is the verb's Python twin.

progress   how far long work has come
album      the folder of a rendered dataset
crew       many jobs on several processes
"""
