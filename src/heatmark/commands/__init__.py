"""One file a verb: each joins the rooms below into what a person asks for, and is the verb's Python twin.

Beside them what several verbs share, or one does in a file of its own:

console            what people type and read
progress           how far long work has come
crew               many jobs on several processes
album              the folder of a rendered dataset
looks              where a model looks in a picture; person_detector: in boxes that torchvision finds
topdown, crowd, dense            evaluate: people in boxes, everybody at once, many things side by side
scoresheet, dense_page           evaluate: the files of its report
attack_window, attack_crowd      attack: in an object's window, in everybody's picture; attack_page: its files
published_model    convert: the authors' weights
"""
